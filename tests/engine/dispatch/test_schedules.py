"""Flows that start by the partner's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.engine.ledger import claims, schedules

DAY = timedelta(days=1)
NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def test_a_schedule_seen_for_the_first_time_waits_for_its_next_moment(desk) -> None:
    desk.scheduled("lindeby", "daily 06:00")
    assert desk.look(NOON) == []
    assert desk.look(NOON + timedelta(hours=15, minutes=59)) == []
    [started] = desk.look(NOON + timedelta(hours=16))
    assert (started.flow, started.table, started.lane) == ("harvest", "", "harvest")
    assert started.facts["due"] == "2026-06-02T06:00:00+02:00"
    assert started.id.startswith("lindeby__harvest__20260602T0400__")


def test_each_moment_is_acted_on_once(desk) -> None:
    desk.scheduled("lindeby", "hourly")
    desk.look(NOON)
    assert len(desk.look(NOON + timedelta(hours=1))) == 1
    assert desk.look(NOON + timedelta(hours=1, minutes=1)) == []
    assert desk.look(NOON + timedelta(minutes=30)) == [], "also when the clock is put back"


def test_the_ledger_is_not_asked_to_write_for_a_schedule_that_is_not_due(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.scheduled("lindeby", "daily 06:00")
    desk.look(NOON)
    asked: list[str] = []
    real = schedules.mark
    monkeypatch.setattr(
        schedules, "mark", lambda ledger, partner, *rest, **more: (asked.append(partner), real(ledger, partner, *rest, **more))[1]
    )
    assert desk.look(NOON + timedelta(hours=1)) == [] and asked == []
    assert len(desk.look(NOON + timedelta(hours=16))) == 1 and asked == ["lindeby"]


def test_of_several_missed_moments_only_the_last_is_made_up_for(desk) -> None:
    desk.scheduled("lindeby", "daily 06:00")
    desk.look(NOON)
    [started] = desk.look(NOON + 5 * DAY)
    assert started.facts["due"].startswith("2026-06-06T06:00")


@pytest.mark.parametrize(
    ("before", "after", "due"),
    [
        (datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 29, 12, tzinfo=UTC), datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
        (datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 25, 12, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
    ],
    ids=["spring, when 02:30 is jumped over", "autumn, when 02:30 comes twice"],
)
def test_a_nightly_flow_runs_once_in_a_night_in_which_the_clock_changes(desk, before: datetime, after: datetime, due: datetime) -> None:
    desk.scheduled("lindeby", "daily 02:30")
    desk.look(before)
    started = []
    at = before
    while at <= after:
        found = desk.look(at)
        started += found
        for one in found:  # out of the way of the next
            with desk.engine.ledger.begin() as tx:
                tx.exec_driver_sql("UPDATE delivery SET state = 'acknowledged' WHERE id = ?", (one.id,))
        at += timedelta(minutes=30)
    assert [datetime.fromisoformat(one.facts["due"]).astimezone(UTC) for one in started] == [due]


def test_partners_have_their_own_clocks(desk) -> None:
    desk.scheduled("lindeby", "daily 06:00")
    desk.scheduled("elsewhere", "daily 06:00", zone="Atlantic/Reykjavik")
    desk.look(NOON)
    [first] = desk.look(NOON + timedelta(hours=16))
    assert first.partner == "lindeby"
    claims.take(desk.engine.ledger, first.id, "receive")
    assert [one.partner for one in desk.look(NOON + timedelta(hours=18))] == ["elsewhere"]
    assert {one.partner for one in schedules.find(desk.engine.ledger)} == {"lindeby", "elsewhere"}


def test_a_flow_that_is_switched_off_does_not_start(desk) -> None:
    desk.scheduled("lindeby", "hourly")
    desk.look(NOON)
    file = desk.engine.partners_folder / "lindeby.yaml"
    file.write_text(file.read_text().replace("{schedule", "{enabled: false, schedule"))
    assert desk.look(NOON + 3 * DAY) == []
