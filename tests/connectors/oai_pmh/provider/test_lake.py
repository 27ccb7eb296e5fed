"""The index over a real lake: what publish, a whole export, retraction, erasure, compaction and settings make of it."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from time import sleep
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
import time_machine

from connectors.oai_pmh.provider import follow, index
from connectors.oai_pmh.provider.desk import Desk
from connectors.oai_pmh.provider.index import file_in
from connectors.oai_pmh.provider.libraries import catalogue
from connectors.oai_pmh.provider.settings import FLOWS
from connectors.oai_pmh.provider.update import Updated
from include.engine.credentials import EnvironmentCredentials
from include.engine.engine import Engine
from include.engine.errors import BinderyError, SettingsError, Unreachable
from include.engine.lake import maintenance
from include.engine.lake.plan import Mode
from include.engine.lake.publish import publish
from include.engine.lake.read import newest
from include.engine.lake.retract import retract
from include.engine.ledger import Ledger, manifests
from include.engine.ledger.manifests import Versions
from tests.connectors.oai_pmh.provider.house import KEY, SCHEMA, Row, Shelf, ask, pages, row
from tests.house import MASTER

YAML = "name: {name}\ntimezone: Europe/Copenhagen\nlanguage: da\nstatus: live\nflows:\n  oai_provider: {settings}\n"
LIST = "verb=ListRecords&metadataPrefix=oai_dc"


@dataclass
class Installation:
    """A lake with libraries, its provider's index, and the clock."""

    engine: Engine
    now: time_machine.Traveller
    deliveries: list[str] = field(default_factory=list)

    def partner(self, partner: str, settings: str = "{}") -> None:
        text = YAML.format(name=partner.title(), settings=settings)
        (self.engine.partners_folder / f"{partner}.yaml").write_text(text, encoding="utf-8")

    def publish(self, partner: str, rows: list[Row], mode: Mode = "full", pin: bool = True) -> str:
        id = f"{partner}__{len(self.deliveries)}"
        self.deliveries.append(id)
        made = pa.Table.from_pylist(rows, schema=SCHEMA)
        contract = self.engine.contract("bibliographic")
        publish(self.engine.lake, contract, partner, id, lambda: made.to_reader(3), mode, lambda: None)
        if pin:
            self.pin()
        return id

    def pin(self) -> None:
        version = newest(self.engine.lake, "bibliographic")
        assert version is not None
        manifests.pin(self.engine.ledger, None, {"bibliographic": Versions(None, version)})

    def look(self) -> Updated:
        done = follow.bring_up(file_in(self.engine.home), lambda: catalogue(self.engine), ())
        self.now.shift(60)
        return done

    def desk(self) -> Desk:
        return Shelf(self.engine.home, page=4).desk()

    def shown(self, query: str = LIST) -> dict[str, tuple[bool, str]]:
        """By control number: whether it is deleted, and its datestamp."""
        return {
            identifier.rpartition("/")[2]: (deleted, stamp)
            for page in pages(self.desk(), query)
            for identifier, stamp, deleted in page.records
        }


@pytest.fixture
def house(tmp_path: Path, ledger: Ledger, now: time_machine.Traveller) -> Iterator[Installation]:
    (tmp_path / "partners").mkdir()
    engine = Engine(tmp_path / "home", ledger, EnvironmentCredentials(MASTER), FLOWS, tmp_path / "partners")
    made = Installation(engine, now)
    made.partner("lindeby")
    yield made


def test_a_title_that_a_whole_export_lacks_is_deleted_for_good_and_one_that_changed_is_new(house: Installation) -> None:
    house.publish("lindeby", [row(n) for n in range(6)])
    assert house.look().changed == 6
    before = house.shown()
    house.publish("lindeby", [row(0), row(1, title="Other"), row(2), row(3), row(9)])
    done = house.look()
    assert (done.changed, done.deleted) == (2, 2)
    after = house.shown()
    assert {number for number, (deleted, _) in after.items() if deleted} == {"4", "5"}
    assert {number for number in after if after[number] == before.get(number)} == {"0", "2", "3"}
    house.publish("lindeby", [row(0), row(1, title="Other"), row(2), row(3), row(4), row(9)])
    house.look()
    assert not house.shown()["4"][0]
    assert house.shown()["5"] == after["5"]


def test_an_unchanged_lake_costs_nothing_and_a_compacted_one_changes_nothing(house: Installation) -> None:
    for n in range(4):
        house.publish("lindeby", [row(n)], mode="delta")
    house.look()
    before = house.shown()
    assert house.look().partners == []
    assert maintenance.compact(house.engine.lake, "bibliographic") == 4
    house.pin()
    done = house.look()
    assert (done.partners, done.changed, done.deleted) == (["lindeby"], 0, 0)
    assert house.shown() == before


def test_what_is_not_pinned_is_not_shown(house: Installation) -> None:
    house.publish("lindeby", [row(1)])
    house.publish("lindeby", [row(2)], mode="delta", pin=False)
    house.look()
    assert set(house.shown()) == {"1"}
    house.pin()
    house.look()
    assert set(house.shown()) == {"1", "2"}


def test_a_retracted_delivery_is_told_of_as_deleted_and_what_it_changed_is_as_it_was(house: Installation) -> None:
    house.publish("lindeby", [row(1), row(2)])
    house.look()
    second = house.publish("lindeby", [row(2, title="Other"), row(3)], mode="delta")
    house.look()
    retract(house.engine.lake, "bibliographic", second)
    house.pin()
    house.look()
    assert {number: deleted for number, (deleted, _) in house.shown().items()} == {"1": False, "2": False, "3": True}
    said = ask(house.desk(), "verb=GetRecord&metadataPrefix=oai_dc&identifier=oai:test.example:lindeby/DK-799001/2")
    assert said.all("*//o:metadata/*/*/text()")[0] == "Huset ved havet"


def test_an_erased_record_is_gone_from_the_index_but_for_its_identifier(house: Installation) -> None:
    house.publish("lindeby", [row(1), row(2, title="Nobodys business")])
    house.look()
    maintenance.history_without(house.engine.lake, "bibliographic", "lindeby", ds.field("control_number") == "2")
    house.pin()
    house.look()
    assert house.shown()["2"][0]
    connection = index.connect(file_in(house.engine.home))
    for table in ("dc", "marc"):
        assert connection.execute(f"SELECT count(*) FROM {table} JOIN record USING (place) WHERE local LIKE '%/2'").fetchone()[0] == 0
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 1
    connection.close()


def test_a_record_that_says_that_it_is_deleted_is_a_tombstone(house: Installation) -> None:
    house.publish("lindeby", [row(1), row(2)])
    house.look()
    house.publish("lindeby", [row(2, deleted=True)], mode="delta")
    house.look()
    first = house.shown()
    assert first["2"][0]
    house.publish("lindeby", [row(1)])  # and now it is gone from the lake too: nothing new to tell
    assert house.look().changed == 0
    assert house.shown() == first


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


def test_a_file_that_is_vacuumed_under_a_run_makes_it_begin_again(house: Installation) -> None:
    for n in range(3):
        house.publish("lindeby", [row(n)], mode="delta")
    old = catalogue(house.engine)
    maintenance.compact(house.engine.lake, "bibliographic")
    house.pin()
    maintenance.vacuum(house.engine.lake, "bibliographic", keep_days=-1, orphan_hours=-1)
    asked = iter([old, catalogue(house.engine)])
    done = follow.bring_up(file_in(house.engine.home), lambda: next(asked), ())
    assert done.changed == 3
    with pytest.raises(Unreachable, match="change faster"):
        follow.bring_up(file_in(house.engine.home / "other"), lambda: old, ())


def test_no_lake_yet_is_an_empty_repository(house: Installation) -> None:
    house.look()
    assert ask(house.desk(), LIST).error == "noRecordsMatch"


def test_one_process_writes_and_another_is_told_so(house: Installation) -> None:
    file = file_in(house.engine.home)
    with follow.only_writer(file), pytest.raises(Unreachable) as refused, follow.only_writer(file):
        pass
    assert refused.value.code == "OAI_INDEX_BUSY"


def test_who_finds_a_writer_stands_by_and_goes_on_when_that_one_ends(house: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.oai_pmh.provider.follow._STAND_BY", 0.02)
    house.publish("lindeby", [row(1)])
    file, stop, said = file_in(house.engine.home), Event(), []
    work = (file, lambda: catalogue(house.engine), lambda: (), 0.02, stop, said.append)
    second = Thread(target=follow.follow, args=work)
    with follow.only_writer(file):
        second.start()
        _until(lambda: said)
        assert not file.exists()
    _until(lambda: len(said) == 2)
    stop.set()
    second.join(20)
    assert "OAI_INDEX_BUSY" in said[0]
    assert '"changed": 1' in said[1]


def test_trouble_is_said_and_noted_and_goes_by(house: Installation) -> None:
    house.publish("lindeby", [row(1)])
    house.look()
    (house.engine.partners_folder / "lindeby.yaml").unlink()
    stop, said = Event(), []

    def mended(line: str) -> None:
        said.append(line)
        assert json.loads(house.desk().health().body)["trouble"] is None
        house.partner("lindeby", "{rights: CC0}")
        if len(said) == 2:
            stop.set()

    follow.follow(file_in(house.engine.home), lambda: catalogue(house.engine), lambda: (), 0.0, stop, mended)
    assert "BINDERY_PARTNERS" in said[0]
    assert '"changed": 1' in said[1]


def _until(true: Callable[[], object]) -> None:
    for _ in range(2000):
        if true():
            return
        sleep(0.01)
    raise AssertionError("it never came to that")


def test_a_full_disk_is_no_damage(house: Installation) -> None:
    house.publish("lindeby", [row(n, title=os.urandom(1000).hex()) for n in range(40)])
    index.create(file := file_in(house.engine.home))
    plain = index.connect

    def full(file: Path, *, make: bool = False) -> sqlite3.Connection:
        connection = plain(file, make=make)
        connection.execute("PRAGMA max_page_count = 1")
        return connection

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Unreachable) as told:
        patch.setattr(index, "connect", full)
        follow.bring_up(file, lambda: catalogue(house.engine), ())
    assert told.value.code == "OAI_INDEX_TROUBLE"
    house.look()
    assert len(house.shown()) == 40


def test_a_damaged_index_is_told_of_and_not_made_anew(house: Installation) -> None:
    house.publish("lindeby", [row(1)])
    house.look()
    file = file_in(house.engine.home)
    for left in file.parent.glob(f"{file.name}-*"):
        left.unlink()
    content = bytearray(file.read_bytes())
    content[100:] = bytes(len(content) - 100)
    file.write_bytes(content)
    with pytest.raises(BinderyError) as told:
        house.desk().harvest(LIST.encode(), False, "")
    assert told.value.code in ("OAI_INDEX_DAMAGED", "OAI_INDEX_MISSING")


def test_the_index_itself_adds_up(house: Installation) -> None:
    """Every list's tally is the number of its members, and every record is in the lists of its shelf."""
    house.publish("lindeby", [row(n, material_type="film" if n % 2 else "book") for n in range(9)])
    house.look()
    house.publish("lindeby", [row(n, title="Other" if n < 4 else "Huset ved havet") for n in range(7)])
    house.look()
    connection = index.connect(file_in(house.engine.home))
    tallied = dict(connection.execute("SELECT listing, sum(records) FROM tally GROUP BY listing HAVING sum(records) > 0"))
    assert tallied == dict(connection.execute("SELECT listing, count(*) FROM member GROUP BY listing"))
    assert connection.execute("SELECT count(*) FROM member WHERE place NOT IN (SELECT place FROM record)").fetchone()[0] == 0
    assert _whole(connection) == 9
    connection.close()


def _whole(connection: sqlite3.Connection) -> int:
    query = "SELECT count(*) FROM member JOIN listing ON id = listing WHERE spec = ''"
    found: Any = connection.execute(query).fetchone()[0]
    return int(found)


def test_the_key_of_the_key_store_signs_as_well_as_one_of_the_environment(house: Installation) -> None:
    first = house.engine.keys.ensure("oai_token", "provider").secret
    assert first == house.engine.keys.ensure("oai_token", "provider").secret
    assert len(first) == len(KEY)
