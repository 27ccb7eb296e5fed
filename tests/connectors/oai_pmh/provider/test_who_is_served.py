"""Partners' settings: who is served, who withdraws, and what a mistake in them does not do."""

from __future__ import annotations

import pytest

from connectors.oai_pmh.provider import follow
from connectors.oai_pmh.provider.index import file_in
from connectors.oai_pmh.provider.libraries import catalogue
from include.engine.errors import SettingsError
from tests.connectors.oai_pmh.provider.house import ask, row
from tests.connectors.oai_pmh.provider.installation import LIST, Installation


def test_only_libraries_whose_settings_say_so_are_served_and_one_that_withdraws_is_told_of_as_deleted(house: Installation) -> None:
    (house.engine.partners_folder / "almvik.yaml").write_text("name: Almvik\ntimezone: Europe/Stockholm\nlanguage: sv\nstatus: live\n")
    house.publish("lindeby", [row(1)])
    house.publish("almvik", [row(2)])
    house.look()
    assert set(house.shown()) == {"1"}
    house.partner("almvik")
    house.look()
    assert {number: deleted for number, (deleted, _) in house.shown().items()} == {"1": False, "2": False}
    house.partner("almvik", "{enabled: false}")
    house.look()
    assert {number: deleted for number, (deleted, _) in house.shown().items()} == {"1": False, "2": True}
    assert ask(house.desk(), f"{LIST}&set=library:almvik").records[0][2]


def test_a_mistake_in_a_partners_yaml_withdraws_nothing(house: Installation) -> None:
    house.publish("lindeby", [row(1)])
    house.look()
    (house.engine.partners_folder / "lindeby.yaml").write_text("name: [")
    house.look()
    assert house.shown()["1"][0] is False


def test_a_folder_of_partners_that_is_not_there_withdraws_nothing(house: Installation) -> None:
    house.publish("lindeby", [row(1)])
    house.look()
    (house.engine.partners_folder / "lindeby.yaml").unlink()
    with pytest.raises(SettingsError, match="BINDERY_PARTNERS"):
        house.look()
    assert house.shown()["1"][0] is False


def test_other_settings_change_the_records_that_they_concern_and_no_others(house: Installation) -> None:
    own = '<datafield tag="856" ind1=" " ind2=" "><subfield code="u">x</subfield></datafield>'
    with_link = row(2)["marcxml"].replace("</record>", own + "</record>")
    house.publish("lindeby", [row(1), row(2, marcxml=with_link)])
    house.look()
    before = house.shown()
    house.partner("lindeby", "{without: ['856']}")
    assert house.look().changed == 1
    after = house.shown()
    assert after["1"] == before["1"]
    assert after["2"] != before["2"]
    house.partner("lindeby", "{}")
    assert house.look().changed == 1


def test_settings_that_come_back_while_a_run_was_dying_lose_nothing(house: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    house.publish("lindeby", [row(n) for n in range(8)])
    house.look()
    house.partner("lindeby", "{rights: CC0}")
    monkeypatch.setattr("connectors.oai_pmh.provider.update.CHUNK", 3)

    class Killed(Exception):
        pass

    told = 0

    def die(count: int) -> None:
        nonlocal told
        told += count
        if told >= 3:
            raise Killed

    with pytest.raises(Killed):
        follow.bring_up(file_in(house.engine.home), lambda: catalogue(house.engine), (), die)
    house.partner("lindeby", "{}")
    house.now.shift(60)
    house.look()
    assert {number: deleted for number, (deleted, _) in house.shown().items()} == {str(n): False for n in range(8)}
    assert b"CC0" not in ask(house.desk(), LIST).reply.body
