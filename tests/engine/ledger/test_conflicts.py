"""Conflicts of self-service in the ledger: entered once, closed once, and let go of long after."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from include.engine import clock
from include.engine.ledger import Ledger, audit, conflicts
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


def test_what_is_dealt_with_here_does_not_come_back_however_long_the_source_still_lists_it(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = replace(ONE, number=8)
    conflicts.enter(ledger, "lindeby", "j1", [ONE, two])
    assert conflicts.deal(ledger, "lindeby", [("j1", 7), ("j1", 7), ("j1", 99), ("j2", 8)], "kirsten", "called") == 1
    assert conflicts.deal(ledger, "lindeby", [("j1", 7)], "erik") == 0  # it was kirsten
    assert conflicts.deal(ledger, "almvik", [("j1", 8)], "erik") == 0
    assert conflicts.standing(ledger) == [two]
    assert conflicts.heaps(ledger)["lindeby", "circulation_journal"].count == 1
    [done] = conflicts.done(ledger, "lindeby")
    assert (done.conflict, done.who, done.note, done.open_there) == (ONE, "kirsten", "called", True)
    assert [(one.who, one.detail["conflict"]) for one in audit.find(ledger, action="close_conflict")] == [("kirsten", 7)]
    later = clock.now() + timedelta(days=91)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert conflicts.enter(ledger, "lindeby", "j1", [ONE, two]) == 0  # a checkpoint of the sidecar, where nobody has closed it
    assert conflicts.standing(ledger) == [two] and conflicts.done(ledger, "lindeby") == []
    assert conflicts.open_there(ledger, "lindeby", "j1") == [7]
    conflicts.enter(ledger, "lindeby", "j1", [], [7])
    assert conflicts.open_there(ledger, "lindeby", "j1") == []
    much_later = later + timedelta(days=91)
    monkeypatch.setattr(clock, "now", lambda: much_later)
    conflicts.enter(ledger, "lindeby", "j1", [two])
    with ledger.read() as tx:
        assert tx.execute(sa.select(table.c.number)).scalars().all() == [8]
