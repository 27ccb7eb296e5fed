"""A file that was expected and has not come is told of once; a delivery to which nothing happens is seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from include.engine.delivery import State
from include.engine.ledger import claims, deliveries, notices
from tests.engine.dispatch.conftest import Desk

SIX = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)  # 06:00 in Copenhagen
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def expecting(desk: Desk, **settings: str) -> None:
    desk.partner("lindeby", **settings)
    file = desk.engine.partners_folder / "lindeby.yaml"
    file.write_text(file.read_text().replace('files: "items_*"', 'files: "items_*", expected: "daily 06:00"'))


def told(desk: Desk) -> list[tuple[str | None, str]]:
    return [(one.path, one.facts["expected"]) for one in deliveries.find(desk.engine.ledger, table="overdue")]


def test_a_file_that_has_not_come_is_told_of_once_a_quarter_of_an_hour_later(desk: Desk) -> None:
    expecting(desk)
    desk.look(SIX - DAY + 20 * MINUTE)
    assert told(desk) == [], "what is seen for the first time waits for its next moment"
    desk.look(SIX + 14 * MINUTE)
    assert told(desk) == []
    [started] = desk.look(SIX + 16 * MINUTE)
    assert (started.table, started.facts["refused"]) == ("overdue", "FILE_EXPECTED")
    desk.look(SIX + 17 * MINUTE)
    assert told(desk) == [("items_*", "2026-11-20 06:00")]
    desk.look(SIX + DAY + 16 * MINUTE)
    assert told(desk) == [("items_*", "2026-11-21 06:00"), ("items_*", "2026-11-20 06:00")]


def test_a_file_that_came_in_time_is_not_told_of_whatever_became_of_it(desk: Desk) -> None:
    expecting(desk)
    desk.look(SIX - DAY + 20 * MINUTE)
    (desk.engine.home / "inbox" / "lindeby" / "Items_1").write_bytes(b"x")
    (desk.engine.home / "inbox" / "lindeby" / "loans_1").write_bytes(b"x")
    assert {one.table for one in desk.look(SIX - MINUTE)} == {"item", "loan"}
    desk.look(SIX + 16 * MINUTE)
    assert told(desk) == []
    desk.look(SIX + DAY + 16 * MINUTE)
    assert len(told(desk)) == 1, "yesterday's is not today's"


def test_of_several_moments_that_were_missed_only_the_last_is_told_of(desk: Desk) -> None:
    expecting(desk)
    desk.look(SIX - DAY)
    desk.look(SIX + 3 * DAY + 16 * MINUTE)
    assert told(desk) == [("items_*", "2026-11-23 06:00")]


def test_two_flows_that_expect_files_of_the_same_name_are_each_told_of(desk: Desk) -> None:
    expecting(desk)
    desk.engine.flows["post"] = desk.engine.flows["drop"]  # type: ignore[index]
    file = desk.engine.partners_folder / "lindeby.yaml"
    drop = file.read_text().partition("flows:\n")[2]
    file.write_text(file.read_text() + drop.replace("drop:", "post:").replace("inbox/lindeby", "inbox/lists"))
    (desk.engine.home / "inbox" / "lists").mkdir()
    desk.look(SIX - DAY + 20 * MINUTE)
    desk.look(SIX + 16 * MINUTE)
    assert [one.flow for one in deliveries.find(desk.engine.ledger, table="overdue")] == ["post", "drop"]


def test_a_flow_that_is_switched_off_expects_nothing(desk: Desk) -> None:
    expecting(desk)
    desk.look(SIX - DAY)
    expecting(desk, enabled="false")
    desk.look(SIX + 16 * MINUTE)
    assert told(desk) == []


def test_a_delivery_to_which_nothing_happens_stands_among_the_notices_until_it_moves(desk: Desk) -> None:
    folder = desk.partner("lindeby")
    (folder / "items_a").write_bytes(b"x")
    [claimed] = desk.look(SIX)
    with desk.engine.ledger.begin() as tx:
        claims.take(desk.engine.ledger, claimed.id, "receive", tx=tx)
        tx.exec_driver_sql("UPDATE delivery SET touched_at = '2026-11-20 05:00:00.000000' WHERE id = ?", (claimed.id,))
    desk.look(SIX + 119 * MINUTE)
    assert notices.find(desk.engine.ledger) == []
    desk.look(SIX + 121 * MINUTE)
    desk.look(SIX + 122 * MINUTE)
    [notice] = notices.find(desk.engine.ledger, partner="lindeby")
    assert (notice.file, notice.line) == (claimed.id, None)
    assert "in flight (claimed)" in notice.message and "2026-11-20 05:00 UTC" in notice.message
    with desk.engine.ledger.begin() as tx:
        tx.exec_driver_sql("UPDATE delivery SET state = ? WHERE id = ?", (State.ACKNOWLEDGED, claimed.id))
    desk.look(SIX + 123 * MINUTE)
    assert notices.find(desk.engine.ledger) == []
