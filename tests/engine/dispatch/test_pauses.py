"""What a person has paused is neither looked into nor started, and keeps its place; when it goes on, it is as if it had only been late."""

from __future__ import annotations

from pathlib import Path

from include.engine.dispatch.look import look
from include.engine.ledger import audit, deliveries, pauses
from tests.engine import lived_in
from tests.engine.lived_in import ANNE


def _house(tmp_path: Path, migrated_file: Path) -> lived_in.House:
    return lived_in.opened_at(tmp_path, migrated_file)


def _drop(house: lived_in.House, name: str) -> None:
    inbox = house.engine.home / "inbox" / "lindeby"
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / name).write_text(ANNE)


def test_a_paused_flow_takes_nothing_in_until_it_goes_on(tmp_path: Path, migrated_file: Path) -> None:
    house = _house(tmp_path, migrated_file)
    _drop(house, "patrons_1.csv")
    assert pauses.pause(house.engine.ledger, "lindeby", "people_import", "erik")
    assert not pauses.pause(house.engine.ledger, "lindeby", "people_import", "erik")
    assert look(house.engine, patience=10) == []
    assert deliveries.find(house.engine.ledger) == []
    assert pauses.resume(house.engine.ledger, "lindeby", "people_import", "lise")
    assert not pauses.resume(house.engine.ledger, "lindeby", "people_import", "lise")
    [claimed] = look(house.engine, patience=10)
    assert claimed.path == "patrons_1.csv"
    assert [(one.who, one.action, one.detail) for one in audit.find(house.engine.ledger, subject="lindeby")] == [
        ("lise", "resume", {"flow": "people_import"}),
        ("erik", "pause", {"flow": "people_import"}),
    ]


def test_a_delivery_that_was_seen_before_the_pause_waits_in_its_place(tmp_path: Path, migrated_file: Path) -> None:
    house = _house(tmp_path, migrated_file)
    for number in (1, 2):
        _drop(house, f"patrons_{number}.csv")
    [first] = look(house.engine, patience=10)
    house.run(first.id)
    pauses.pause(house.engine.ledger, "lindeby", "", "erik")  # the whole partner
    assert look(house.engine, patience=10) == []
    assert [str(one.state) for one in deliveries.find(house.engine.ledger)] == ["seen", "acknowledged"]
    pauses.resume(house.engine.ledger, "lindeby", "", "erik")
    assert [one.path for one in look(house.engine, patience=10)] == ["patrons_2.csv"]
