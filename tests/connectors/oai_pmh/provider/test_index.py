"""The index as a file that processes keep: trouble, a full disk, damage, two writers, and that it adds up."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from time import sleep
from typing import Any

import pytest

from connectors.oai_pmh.provider import follow, index
from connectors.oai_pmh.provider.index import file_in
from connectors.oai_pmh.provider.libraries import catalogue
from include.engine.errors import BinderyError, Unreachable
from include.engine.lake import maintenance
from tests.connectors.oai_pmh.provider.house import KEY, ask, row
from tests.connectors.oai_pmh.provider.installation import LIST, Installation


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
    second.join(60)
    assert "OAI_INDEX_BUSY" in said[0]
    assert '"changed": 1' in said[1]


def test_trouble_is_said_and_noted_and_goes_by(house: Installation) -> None:
    house.publish("lindeby", [row(1)])
    house.look()
    assert json.loads(house.desk().health().body)["lake_version"] == 1
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
