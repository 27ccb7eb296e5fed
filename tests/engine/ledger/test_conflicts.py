"""Conflicts of self-service in the ledger: entered once, closed once, and let go of long after."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from include.engine import clock
from include.engine.ledger import Ledger, conflicts
from include.engine.ledger.conflicts import Conflict
from include.engine.ledger.schema import conflict as table

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
ONE = Conflict(
    "lindeby", "j1", 7, "circulation_journal", AT, "k1", "main", "checkout", "d1", "ok", "no, CARD_EXPIRED", "CARD_EXPIRED", "Expired"
)


def test_what_is_entered_again_stays_and_what_is_closed_stays_closed(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    two = replace(ONE, number=8, at=AT + timedelta(hours=1))
    assert conflicts.enter(ledger, "lindeby", "j1", [two, ONE]) == 2
    assert conflicts.enter(ledger, "lindeby", "j1", [replace(ONE, explained="otherwise")]) == 0
    assert conflicts.enter(ledger, "lindeby", "j2", [replace(ONE, source="j2")]) == 1  # a journal that was begun anew counts anew
    assert conflicts.enter(ledger, "almvik", "j1", [replace(ONE, partner="almvik")]) == 1
    assert conflicts.standing(ledger, partner="lindeby") == [ONE, replace(ONE, source="j2"), two]
    assert conflicts.heaps(ledger)["lindeby", "circulation_journal"] == conflicts.Heap(3, AT)
    assert conflicts.enter(ledger, "lindeby", "j1", [], [7]) == 0
    assert conflicts.enter(ledger, "lindeby", "j1", [ONE], [7]) == 0
    assert [(one.source, one.number) for one in conflicts.standing(ledger, partner="lindeby")] == [("j2", 7), ("j1", 8)]
    later = clock.now() + timedelta(days=91)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert conflicts.enter(ledger, "lindeby", "j1", [], [8]) == 0  # it lets go of 7, closed long ago, and of the other journal's
    with ledger.read() as tx:
        assert tx.execute(sa.select(table.c.source, table.c.number).where(table.c.partner == "lindeby")).all() == [("j1", 8)]
        assert tx.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 2  # another library's stays
