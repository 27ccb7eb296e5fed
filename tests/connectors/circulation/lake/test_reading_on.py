"""The journal is read on from where the lake is: nothing twice, nothing passed over, whatever became of the deliveries before."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from datetime import timedelta

import pytest

from connectors.circulation.journal import read
from connectors.circulation.journal.marker import nothing_new, taken
from connectors.circulation.journal.retiring import retire
from connectors.circulation.journal.segment import segments
from connectors.circulation.lake.belonging import claim
from connectors.circulation.lake.position import position
from include.engine import clock
from include.engine.delivery import Delivery, State
from include.engine.errors import KeyDestroyed, Refused, Tampered
from include.engine.inbound.acknowledge import acknowledge
from include.engine.inbound.ending import ending
from include.engine.inbound.receive import receive
from include.engine.ledger import claims
from include.engine.replay import replay
from include.engine.retract import retract
from tests.connectors.circulation.lake.conftest import House
from tests.house import MASTER

RECEIVE = """
import sys
from connectors import flow_models
from connectors.circulation.lake import inbound
from include.engine.credentials import EnvironmentCredentials
from include.engine.engine import Engine
from include.engine.inbound.receive import receive
receive(Engine.open(EnvironmentCredentials(), flow_models()), sys.argv[1], inbound)
"""


def _range(delivery: Delivery) -> tuple[int, int]:
    return delivery.facts["journal"]["after"], delivery.facts["journal"]["until"]


def test_each_delivery_begins_where_the_one_before_ended(house: House) -> None:
    house.borrow(1)
    assert _range(house.read()) == (0, 1)
    house.borrow(2)
    house.borrow(3)
    assert _range(house.read()) == (1, 3)
    empty = house.read()
    assert (_range(empty), empty.state, empty.counts.in_) == ((3, 3), State.ACKNOWLEDGED, 0)


def test_the_journal_of_another_library_is_not_read(house: House) -> None:
    claim(house.folder, "almvik")
    house.borrow(1)
    done = house.read()
    assert (done.state, done.reason) == (State.FAILED, "SETTINGS_INVALID")
    assert house.told() == set()


def test_one_that_was_blocked_leaves_no_gap(house: House) -> None:
    house.borrow(1)
    house.read()
    house.borrow(2)
    stopped = house.started()
    receive(house.engine, stopped.id, house.connector)
    with pytest.raises(Refused), ending(house.engine, claims.take(house.engine.ledger, stopped.id, "gate")):
        raise Refused("no", code="DELIVERY_REFUSED")
    acknowledge(house.engine, stopped.id, house.connector)
    house.borrow(3)
    assert _range(house.read()) == (1, 3)
    again = replay(house.engine, stopped.id, who="kirsten")
    assert [one.id for one in house.claimed()] == [again.id]
    replayed = house.run(again.id)
    assert (replayed.state, replayed.counts.unchanged) == (State.ACKNOWLEDGED, 1)
    house.borrow(4)
    assert _range(house.read()) == (3, 4)
    assert len(house.rows("loan")) == 4


def test_a_retracted_delivery_is_not_brought_back(house: House) -> None:
    house.borrow(1)
    done = house.read()
    retract(house.engine, done.id, who="kirsten")
    house.borrow(2)
    assert _range(house.read()) == (1, 2)
    assert len(house.rows("loan")) == 1


def test_what_was_rehearsed_is_read_again_once_it_counts(house: House) -> None:
    house.settle(status="test")
    house.borrow(1)
    assert [_range(house.read()), _range(house.read())] == [(0, 1), (1, 1)]
    assert house.rows("loan") == []
    house.settle()
    assert _range(house.read()) == (0, 1)
    assert len(house.rows("loan")) == 1


def test_many_rehearsals_and_replays_do_not_make_it_begin_anew(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.circulation.lake.position._LOOK", 2)
    house.borrow(1)
    done = house.read()
    house.settle(status="test")
    for number in (2, 3):
        house.borrow(number)
        house.read()
    house.settle()
    again = replay(house.engine, done.id, who="kirsten")
    assert [one.id for one in house.claimed()] == [again.id]
    house.run(again.id)
    assert _range(house.read()) == (1, 3)


def test_an_entry_is_read_once_it_is_old_enough(house: House) -> None:
    house.settle(wait="10 min")
    house.borrow(1)
    house.now = clock.now()
    house.borrow(2)
    assert _range(house.read()) == (0, 1)
    house.ahead = timedelta(minutes=11)
    assert _range(house.read()) == (1, 2)


@pytest.mark.parametrize("point", ["pull.begun", "pull.page", "pull.sealed", "pull.part", "receive.landed", "stage.written"])
def test_a_killed_fetch_goes_on_where_it_was(house: House, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    house.borrow(1)
    house.borrow(2)
    made = house.started()
    there = {
        "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "BINDERY_HOME": str(house.engine.home),
        "BINDERY_LEDGER": house.engine.ledger.url, "BINDERY_PARTNERS": str(house.engine.partners_folder), "BINDERY_DIE_AT": point, **MASTER,
    }  # fmt: skip
    task = subprocess.run([sys.executable, "-c", RECEIVE, made.id], env=there, capture_output=True, text=True, check=False)
    assert task.returncode == -signal.SIGKILL, task.stderr
    house.borrow(3)
    done = house.run(made.id)
    assert done.state == State.ACKNOWLEDGED
    rest = house.read()
    assert done.counts.published + rest.counts.published == 3
    assert _range(rest) == (_range(done)[1], 3)
    assert len(house.rows("loan")) == 3


def test_dispatch_starts_nothing_while_the_journal_is_as_it_was(house: House) -> None:
    folder = house.folder / "journal"
    assert nothing_new(folder)
    house.borrow(1)
    assert not nothing_new(folder)
    house.read()
    assert not nothing_new(folder)  # it is published, but was anything added since? The next one looks
    house.read()
    assert nothing_new(folder)
    house.settle(schedule="*/5 * * * *")
    assert house.claimed() == []
    house.ahead += timedelta(minutes=6)
    assert house.claimed() == []
    house.borrow(2)
    house.ahead += timedelta(minutes=6)
    [due] = house.claimed()
    assert (due.flow, house.run(due.id).counts.published) == ("circulation_journal", 1)


def test_a_segment_goes_once_the_lake_has_it_and_its_time_is_over(house: House) -> None:
    folder = house.folder / "journal"
    for item in (1, 2, 3):
        house.borrow(item)
        assert house.kiosk is not None
        house.kiosk.close()
        house.open()
    house.borrow(4)
    name = segments(folder)
    assert len(name) == 4
    keys, day = house.engine.keys, timedelta(days=1)
    journal = position(house.engine.ledger, house.partner, (folder / "identity").read_text())
    assert journal == (0, 0) and retire(folder, keys, until=taken(folder, ""), kept=timedelta(0), now=clock.now) == []
    house.read()
    house.read()  # which sees that the first one is acknowledged
    until = taken(folder, (folder / "identity").read_text())
    assert until == 4
    assert retire(folder, keys, until=until, kept=day, now=clock.now) == []
    sealed = name[0].read_bytes()
    assert retire(folder, keys, until=2, kept=day, now=lambda: clock.now() + 2 * day) == name[:2]
    assert [entry.number for entry in read(folder, keys, after=2)] == [3, 4]
    (folder / "copy").mkdir()
    (folder / "copy" / name[0].name).write_bytes(sealed)
    with pytest.raises(KeyDestroyed):
        list(read(folder / "copy", keys))
    house.borrow(5)
    assert _range(house.read()) == (4, 5)
    house.kiosk.close()
    (house.folder / "store.db").unlink()
    house.open()
    assert [row["item"] for row in house.kiosk.store.rows("loan")] == ["B00003", "B00004", "B00005"]


def test_a_segment_that_is_missing_and_was_not_taken_over_is_told(house: House) -> None:
    house.borrow(1)
    assert house.kiosk is not None
    house.kiosk.close()
    segments(house.folder / "journal")[0].rename(house.folder / "elsewhere")
    house.kiosk = None
    (house.folder / "journal" / "0000000000000002-0000.journal").write_bytes((house.folder / "elsewhere").read_bytes()[:64])
    house.open()
    house.borrow(2)
    made = house.started()
    with pytest.raises(Tampered):
        receive(house.engine, made.id, house.connector)


def test_another_journal_in_the_same_folder_is_read_from_its_beginning(house: House) -> None:
    house.borrow(1)
    house.borrow(2)
    house.read()
    assert house.kiosk is not None
    house.kiosk.close()
    shutil.rmtree(house.folder)
    house.open()
    house.borrow(3)
    assert _range(house.read()) == (0, 1)
    assert len(house.rows("loan")) == 3


def test_a_library_whose_sidecar_never_ran_has_nothing_to_read(empty: House) -> None:
    assert empty.kiosk is not None
    empty.kiosk.close()
    empty.kiosk = None
    shutil.rmtree(empty.folder)
    assert empty.read().state == State.ACKNOWLEDGED
