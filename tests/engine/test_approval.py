"""Of whom a person is asked: each held delivery once, whatever else was held before and after."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from include.engine.approval import ASKED, unasked
from include.engine.credentials import EnvironmentCredentials
from include.engine.delivery import NewDelivery, State, delivery_id
from include.engine.engine import Engine
from include.engine.ledger import Ledger, audit, deliveries
from include.engine.ledger.schema import delivery
from tests.house import MASTER

AT = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


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
