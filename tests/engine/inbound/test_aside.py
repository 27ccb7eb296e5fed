"""Many records set aside are entered ahead of their step's end, some in a transaction: others write meanwhile, and each counts once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from include.engine import clock
from include.engine.credentials import EnvironmentCredentials
from include.engine.delivery import Counts, Delivery, NewDelivery, State, Token
from include.engine.engine import Engine
from include.engine.errors import StaleToken
from include.engine.inbound.aside import Aside
from include.engine.ledger import Ledger, audit, claims, deliveries, quarantined
from include.engine.quarantine import store
from include.engine.quarantine.schema import SET_ASIDE
from tests.house import MASTER

KILLED = 9


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantined, "AT_ONCE", 4)


@pytest.fixture
def engine(tmp_path: Path, ledger: Ledger) -> Engine:
    return Engine(tmp_path / "home", ledger, EnvironmentCredentials(MASTER), {}, tmp_path)


@pytest.fixture
def delivery(engine: Engine) -> Delivery:
    made = deliveries.see(engine.ledger, NewDelivery("lindeby__loan__20260601T120000__00000001", "lindeby", "drop", "loan", clock.now()))
    assert claims.claim(engine.ledger, made.id)
    return made


def rows(count: int) -> pa.Table:
    found = [
        {"member": "loans.csv", "record": n, "offset": n, "length": 1, "reason": "ROW_RAGGED", "column": None, "detail": "x", "raw": b"x"}
        for n in range(1, count + 1)
    ]
    return pa.Table.from_pylist(found, schema=SET_ASIDE)


def a_try(engine: Engine, delivery: Delivery, count: int) -> tuple[Token, Aside]:
    """A new try of the gate, with so many records to be set aside."""
    token = claims.take(engine.ledger, delivery.id, "gate")
    aside = Aside(engine, delivery, token, engine.keys.ensure("delivery", delivery.id))
    aside.add(rows(count))
    return token, aside


def ends(engine: Engine, token: Token, aside: Aside) -> None:
    """The end of a step that refuses the delivery."""
    aside.seal()
    with engine.ledger.begin() as tx:
        aside.enter(tx)
        claims.advance(engine.ledger, token, State.BLOCKED, tx=tx, reason="X", counts=Counts(in_=aside.rows, quarantined=aside.rows))


def entered(engine: Engine, delivery: Delivery) -> list[tuple[int, str | None]]:
    return [(one.record, one.note) for one in quarantined.find(engine.ledger, delivery_id=delivery.id)]


def between(monkeypatch: pytest.MonkeyPatch, what: Callable[[], None]) -> None:
    """Do `what` after each of several transactions."""
    monkeypatch.setattr(Ledger, "breathe", lambda self: what())


def test_of_many_records_others_can_write_while_they_are_entered_and_each_stands_once_at_the_end(
    engine: Engine, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[int] = []

    def somebody_else() -> None:
        audit.record(Ledger(engine.ledger.url), "erik", "replay", "another")
        there.append(len(entered(engine, delivery)))

    between(monkeypatch, somebody_else)
    token, aside = a_try(engine, delivery, 10)
    aside.seal()
    assert there == [4, 8, 10]
    assert {note for _, note in entered(engine, delivery)} == {quarantined.HALF}
    ends(engine, token, aside)
    assert entered(engine, delivery) == [(n, None) for n in range(1, 11)]
    assert len(there) == 3, "sealed twice, they are entered once"
    found = quarantined.find(engine.ledger, delivery_id=delivery.id)
    kept = {uri: store.read(engine.home, uri, engine.keys) for uri in {one.blob_uri for one in found}}
    assert all(kept[one.blob_uri].column("record")[one.blob_row].as_py() == one.record for one in found)


def test_few_records_are_entered_in_the_transaction_that_ends_the_step(
    engine: Engine, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    between(monkeypatch, lambda: pytest.fail("one transaction is enough"))
    token, aside = a_try(engine, delivery, 4)
    aside.seal()
    assert entered(engine, delivery) == []
    ends(engine, token, aside)
    assert entered(engine, delivery) == [(n, None) for n in range(1, 5)]


@pytest.mark.parametrize("again", [9, 2])
def test_a_try_that_is_killed_half_way_is_made_good_by_the_next(
    engine: Engine, delivery: Delivery, monkeypatch: pytest.MonkeyPatch, again: int
) -> None:
    if (child := os.fork()) == 0:
        try:
            between(monkeypatch, lambda: os._exit(KILLED))
            a_try(engine, delivery, 10)[1].seal()
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED
    assert entered(engine, delivery) == [(n, quarantined.HALF) for n in range(1, 5)]
    token, aside = a_try(engine, delivery, again)
    ends(engine, token, aside)
    assert entered(engine, delivery) == [(n, None) for n in range(1, again + 1)]


def test_what_was_entered_half_goes_when_the_step_never_comes_to_its_end(
    engine: Engine, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    between(monkeypatch, lambda: None)
    _, aside = a_try(engine, delivery, 10)
    aside.seal()
    token = claims.take(engine.ledger, delivery.id, "acknowledge")
    claims.advance(engine.ledger, token, State.FAILED)
    assert entered(engine, delivery) == []


def test_a_try_that_is_overtaken_enters_no_more(engine: Engine, delivery: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    between(monkeypatch, lambda: None)
    _, slow = a_try(engine, delivery, 10)
    newer: list[Token] = []

    def overtakes() -> None:
        between(monkeypatch, lambda: None)
        token, aside = a_try(engine, delivery, 6)
        newer.append(token)
        ends(engine, token, aside)

    between(monkeypatch, overtakes)
    with pytest.raises(StaleToken):
        slow.seal()
    assert len(newer) == 1
    assert entered(engine, delivery) == [(n, None) for n in range(1, 7)]


def test_many_of_an_earlier_try_are_cleared_some_at_a_time(engine: Engine, delivery: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    between(monkeypatch, lambda: None)
    ends(engine, *a_try(engine, delivery, 10))
    assert claims.reopen(engine.ledger, delivery.id)
    there: list[int] = []
    between(monkeypatch, lambda: there.append(len(entered(engine, delivery))))
    token, aside = a_try(engine, delivery, 1)
    aside.seal()
    assert there == [6, 2, 0]
    ends(engine, token, aside)
    assert Counter(entered(engine, delivery)) == {(1, None): 1}
