"""A scheduled flow that a person starts at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.engine.delivery import State
from include.engine.dispatch.start import start
from include.engine.errors import SettingsError
from include.engine.ledger import audit, schedules

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def test_what_a_person_starts_is_seen_and_dispatch_takes_it_on(desk) -> None:
    desk.scheduled("lindeby", "daily 06:00")
    made = start(desk.engine, "lindeby", "harvest", who="kirsten")
    assert (made.state, made.table, made.lane, made.facts["started_by"]) == (State.SEEN, "", "harvest", "kirsten")
    assert [one.id for one in desk.look(NOON)] == [made.id]
    assert [(one.who, one.action) for one in audit.find(desk.engine.ledger, subject=made.id)] == [("kirsten", "start")]


def test_started_twice_the_second_waits_for_the_first(desk) -> None:
    desk.scheduled("lindeby", "daily 06:00")
    first, second = (start(desk.engine, "lindeby", "harvest", who="kirsten") for _ in range(2))
    assert first.id != second.id
    assert [one.id for one in desk.look(NOON)] == [first.id]


def test_the_schedule_goes_on_as_before(desk) -> None:
    desk.scheduled("lindeby", "daily 06:00")
    desk.look(NOON)
    before = schedules.find(desk.engine.ledger)
    start(desk.engine, "lindeby", "harvest", who="kirsten")
    assert schedules.find(desk.engine.ledger) == before
    desk.look(NOON + timedelta(hours=1))
    assert schedules.find(desk.engine.ledger) == before


def test_a_flow_that_starts_by_a_file_cannot_be_started(desk) -> None:
    desk.scheduled("lindeby", "daily 06:00")
    with pytest.raises(SettingsError, match="harvest"):
        start(desk.engine, "lindeby", "ils_import", who="kirsten")
