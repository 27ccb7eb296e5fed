"""Of whom a person is asked: each held delivery once, whatever else was held before and after."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from include.engine.approval import ASKED, ask, close, closed, unasked
from include.engine.credentials import EnvironmentCredentials
from include.engine.delivery import NewDelivery, State, delivery_id
from include.engine.engine import Engine
from include.engine.errors import WrongState
from include.engine.ledger import Ledger, audit, claims, deliveries
from include.engine.ledger.schema import delivery
from tests.house import MASTER

AT = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def test_a_question_that_was_answered_elsewhere_is_left_over_until_it_is_closed_and_its_run_asks_nobody(
    tmp_path: Path, ledger: Ledger
) -> None:
    engine = Engine(tmp_path / "home", ledger, EnvironmentCredentials(MASTER), {}, tmp_path)
    ids = [f"lindeby__loan__20260601T120000__0000000{n}" for n in range(3)]
    deliveries.see_all(ledger, [NewDelivery(id, "lindeby", "drop", "loan", AT) for id in ids])
    with ledger.begin() as tx:
        tx.execute(sa.update(delivery).values(state=State.HELD, finished_at=AT))
    waits, dismissed, approved = ids
    for id in ids:
        assert ask(engine, id, who="airflow", run=f"run of {id}") is not None
    assert closed(engine, who="airflow") == []
    claims.dismiss(ledger, dismissed, "erik")
    made = NewDelivery(f"{approved}1", "lindeby", "drop", "loan", AT, origin=approved, facts={"approved": "erik"})
    deliveries.see(ledger, made)
    runs = [(id, f"run of {id}") for id in (dismissed, approved)]
    assert closed(engine, who="airflow", most=1) + closed(engine, who="airflow", most=1) == runs
    assert closed(engine, who="airflow") == []
    for id, run in runs:
        assert ask(engine, id, who="airflow", run=run) is None, "its run is begun again"
    with pytest.raises(WrongState, match="dismissed"):
        ask(engine, dismissed, who="airflow", run="one that a person started")
    assert ask(engine, waits, who="airflow", run=f"run of {waits}") is not None, "begun again before anybody answered"
    close(engine, waits, who="airflow")  # as an answer in Airflow does
    claims.dismiss(ledger, waits, "erik")
    assert closed(engine, who="airflow") == []


def test_one_that_is_held_is_asked_of_however_many_were_held_and_answered_since(tmp_path: Path, ledger: Ledger) -> None:
    engine = Engine(tmp_path / "home", ledger, EnvironmentCredentials(MASTER), {}, tmp_path)
    new = [
        NewDelivery(
            delivery_id("lindeby", "loan", AT, f"loans_{n}", 1, 1), "lindeby", "drop", "loan", AT + timedelta(seconds=n),
            path=f"loans_{n}", size=1, mtime_ns=1,
        )
        for n in range(502)
    ]  # fmt: skip
    deliveries.see_all(ledger, new)
    with ledger.begin() as tx:
        tx.execute(sa.update(delivery).values(state=State.HELD, finished_at=AT))
        tx.execute(sa.update(delivery).where(delivery.c.id != new[0].id).values(dismissed_at=AT, dismissed_by="anne"))
    assert [one.id for one in unasked(engine)] == [new[0].id]
    audit.record(ledger, "airflow", ASKED, new[0].id)
    assert unasked(engine) == []
