"""What lies in an inbox's archive as the partner wrote it goes in time, and nothing else there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import time_machine

from include.engine import clock
from include.engine.retention import enforce
from tests.engine.inbound.conftest import House

GOOD = "".join(f"h{n};c{n};main;v.{n}\n" for n in range(1, 21))


def archived(house: House) -> list[str]:
    return sorted(path.name[9:] for path in (house.inbox / "archive").rglob("*") if path.is_file())


def cleared(house: House, days: float) -> int:
    with time_machine.travel(clock.now() + timedelta(days=days), tick=True):
        return enforce(house.engine).archived


def test_an_archived_file_goes_after_its_period_and_not_before(house: House) -> None:
    house.deliver("hold_1.txt", GOOD)
    assert (cleared(house, 29), archived(house)) == (0, ["hold_1.txt"])
    assert (cleared(house, 31), archived(house)) == (1, [])
    assert cleared(house, 31) == 0


def test_the_yaml_may_say_another_period(house: House) -> None:
    house.settle()
    house.write((house.engine.partners_folder / "lindeby.yaml").read_text() + "retention: {archive: 5 days}\n")
    house.deliver("hold_1.txt", GOOD)
    assert (cleared(house, 4), cleared(house, 6)) == (0, 1)


def test_what_others_put_there_and_what_is_young_stays(house: House) -> None:
    house.deliver("hold_1.txt", GOOD)
    [ours] = (house.inbox / "archive").rglob("*_hold_1.txt")
    theirs = [ours.with_name("notes.txt"), house.inbox / "archive" / "0123abcd_old.txt", ours.with_name("of_long_ago.txt")]
    for path in theirs:
        path.write_text("theirs")
    with time_machine.travel(clock.now() + timedelta(days=20), tick=True):
        house.deliver("hold_2.txt", GOOD.replace("v.1\n", "v.2\n"))
    assert cleared(house, 40) == 1
    assert all(path.exists() for path in theirs)
    assert next((house.inbox / "archive").rglob("*_hold_2.txt"))


def test_an_archive_that_cannot_be_cleared_stops_no_other_work(house: House) -> None:
    house.deliver("hold_1.txt", GOOD)
    house.write((house.engine.partners_folder / "lindeby.yaml").read_text().replace("file:inbox/lindeby", "sftp://nowhere/in"))
    assert cleared(house, 31) == 0
    assert archived(house) == ["hold_1.txt"]


def test_an_inbox_that_never_archived_anything_has_nothing_to_clear(house: House, tmp_path: Path) -> None:
    assert cleared(house, 400) == 0
