"""What a library's rules allow at a self-check, and what is taken in although they do not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.circulation.domain import Checkin, Checkout, Credentials, Outcome, Renew, Request, Reserve
from connectors.circulation.embedded.backend import Embedded
from tests.connectors.circulation.conftest import Clock


@pytest.fixture
def do(library: Embedded, clock: Clock) -> Any:
    def run(kind: type[Request], card: str = "", **more: Any) -> Outcome:
        who = {"patron": Credentials(card)} if card else {}
        return asyncio.run(library.perform(kind(**{"terminal": "kiosk1", "at": clock(), "branch": "main", **who, **more})))

    return run


def test_a_loan_falls_due_at_the_end_of_its_last_day_in_the_library_s_zone(do: Any, library: Embedded) -> None:
    outcome = do(Checkout, "c1", item="b1")
    assert outcome.ok and outcome.due == datetime(2026, 12, 18, 22, 59, tzinfo=UTC)
    patron = asyncio.run(library.patron(Credentials("c1")))
    assert patron is not None and [(loan.item, loan.title, loan.due) for loan in patron.loans] == [("b1", "One book", outcome.due)]
    item = asyncio.run(library.item("b1"))
    assert item is not None and (item.status, item.due) == ("on_loan", outcome.due)


@pytest.mark.parametrize(
    ("card", "item", "reason"),
    [
        ("nobody", "b1", "CARD_UNKNOWN"),
        ("c3", "b1", "CARD_EXPIRED"),
        ("c1", "none", "ITEM_UNKNOWN"),
        ("c1", "r1", "ITEM_NOT_FOR_LOAN"),
        ("c2", "d1", "TOO_YOUNG"),
    ],
)
def test_a_rule_that_is_against_it_is_said(do: Any, library: Embedded, card: str, item: str, reason: str) -> None:
    assert (do(Checkout, card, item=item).ok, do(Checkout, card, item=item).reason) == (False, reason)
    assert library.store.get("loan", item) is None


def test_who_is_fifteen_today_may_borrow_what_is_from_fifteen(do: Any, library: Embedded, clock: Clock) -> None:
    clock.now = datetime(2031, 11, 20, 12, tzinfo=UTC)
    assert do(Checkout, "c2", item="d1").reason == "TOO_YOUNG"
    clock.on(days=1)
    assert do(Checkout, "c2", item="d1").ok


def test_limits_count_all_loans_and_those_of_the_material(do: Any, library: Embedded) -> None:
    assert do(Checkout, "c1", item="d1").ok
    assert do(Checkout, "c1", item="d2").reason == "TOO_MANY_LOANS"
    library.store.fill("item", [{"item": f"x{n}"} for n in range(5)])
    assert [do(Checkout, "c1", item=f"x{n}").reason for n in range(4)] == ["", "", "", "TOO_MANY_LOANS"]


def test_who_owes_too_much_may_not_borrow(do: Any, library: Embedded) -> None:
    library.store.fill("fee", [{"fee": "f1", "patron": "p1", "outstanding": 10_000}])
    assert do(Checkout, "c1", item="b1").ok
    library.store.fill("fee", [{"fee": "f2", "patron": "p1", "outstanding": 1}])
    assert do(Checkout, "c1", item="b2").reason == "OWES_TOO_MUCH"


def test_an_item_that_another_has_is_not_lent(do: Any) -> None:
    assert do(Checkout, "c1", item="b1").ok
    assert do(Checkout, "c2", item="b1").reason == "ITEM_ON_LOAN"


def test_the_same_item_again_is_renewed_where_the_machine_allows_it(do: Any, clock: Clock) -> None:
    first = do(Checkout, "c1", item="b1")
    clock.on(days=5)
    assert do(Checkout, "c1", item="b1").reason == "LENT_TO_YOU"
    again = do(Checkout, "c1b", item="b1", renewal_allowed=True)
    assert again.ok and again.renewed and again.due == first.due + timedelta(days=5)


def test_renewals_end_at_their_limit_and_where_others_wait(do: Any) -> None:
    do(Checkout, "c1", item="b1")
    assert [do(Renew, "c1", item="b1").reason for _ in range(3)] == ["", "", "TOO_MANY_RENEWALS"]
    do(Checkout, "c1", item="d1")
    assert do(Reserve, "c2", item="d1").ok
    assert do(Renew, "c1", item="d1").reason == "HELD_BY_OTHERS"
    assert do(Renew, "c2", item="d1").reason == "NOT_LENT_TO_YOU"
    assert do(Renew, "c1", item="b2").reason == "NOT_LENT"


def test_renewing_all_says_of_each_whether_it_was(do: Any) -> None:
    do(Checkout, "c1", item="b1")
    do(Checkout, "c1", item="d1")
    do(Reserve, "c2", item="d1")
    outcome = do(Renew, "c1")
    assert (outcome.done, outcome.not_done) == (("b1",), ("d1",))


def test_a_returned_item_goes_home_or_stays(do: Any, library: Embedded) -> None:
    do(Checkout, "c1", item="b1")
    do(Checkout, "c1", item="b2")
    here, away = do(Checkin, item="b1"), do(Checkin, item="b2")
    assert (here.ok, here.reason, here.route) == (True, "", "")
    assert here.patron.patron == "p1"
    assert (away.ok, away.reason, away.route) == (True, "OTHER_BRANCH", "north")
    assert library.store.loans_of("p1") == []


def test_a_returned_item_goes_to_the_first_in_the_queue(do: Any, library: Embedded, clock: Clock) -> None:
    do(Checkout, "c1", item="b1")
    do(Reserve, "c2", item="b1", pickup="main")
    clock.on(minutes=1)
    do(Reserve, "c1b", title="t1", pickup="main")
    back = do(Checkin, item="b1")
    assert (back.reason, back.route, back.waiting.patron, back.patron.patron) == ("HOLD_WAITING", "main", "p2", "p1")
    assert library.store.get("item", "b1")["status"] == "on_hold"
    assert do(Checkout, "c1", item="b1").reason == "ITEM_HELD"
    assert do(Checkout, "c2", item="b1").ok
    assert [hold["patron"] for hold in library.store.queue("t1")] == ["p1"]


def test_a_hold_that_is_cancelled_leaves_its_item_to_the_next(do: Any, library: Embedded, clock: Clock) -> None:
    do(Reserve, "c2", item="b1", pickup="main")
    clock.on(minutes=1)
    do(Reserve, "c1", title="t1", pickup="main")
    do(Checkin, item="b1")
    assert do(Reserve, "c2", title="t1", change="delete").ok
    assert library.store.queue("t1")[0] | {"placed": 0} == {
        "hold": library.store.get("item", "b1")["hold"], "patron": "p1", "title_id": "t1", "item": "b1", "pickup": "main", "placed": 0,
        "expires": None, "ready": 1,
    }  # fmt: skip
    assert do(Reserve, "c1", title="t1", change="delete").ok
    assert library.store.get("item", "b1")["status"] == "available"


def test_a_copy_that_was_not_fetched_in_time_goes_to_the_next(do: Any, library: Embedded, clock: Clock) -> None:
    do(Reserve, "c2", item="b1", pickup="main", expires=clock() + timedelta(days=7))
    assert do(Checkin, item="b1").waiting.patron == "p2"
    clock.on(days=8)
    do(Reserve, "c1", item="b1", pickup="main")
    assert do(Checkin, item="b1").waiting.patron == "p1"
    assert [hold["patron"] for hold in library.store.queue("t1")] == ["p1"]


def test_a_hold_that_has_run_out_stops_no_return(do: Any, library: Embedded, clock: Clock) -> None:
    do(Reserve, "c2", title="t1", pickup="north", expires=clock() + timedelta(days=7))
    clock.on(days=8)
    assert (do(Checkin, item="b1").reason, library.store.get("item", "b1")["status"]) == ("NOT_LENT", "available")


def test_holds_have_a_limit_and_are_placed_once(do: Any) -> None:
    assert [do(Reserve, "c1", title=title).reason for title in ("t1", "t1", "t2", "t3")] == ["", "HELD_BY_YOU", "", "TOO_MANY_HOLDS"]
    assert do(Reserve, "c2", title="t1").hold.position == 2


def test_a_hold_on_what_the_library_has_no_copy_of_is_refused_unless_it_is_known_to_have_one(do: Any, library: Embedded) -> None:
    assert do(Reserve, "c1", title="made up").reason == "TITLE_UNKNOWN"
    assert do(Reserve, "c1", item="none", title="made up").reason == "TITLE_UNKNOWN"  # a copy that nobody knows, with the title's words
    assert do(Reserve, "nobody", title="made up").reason == "CARD_UNKNOWN"
    library.store.fill("item", [{"item": "gone", "title_id": "t9", "status": "withdrawn"}])
    library.store.fill("hold", [{"hold": "h9", "patron": "p2", "title_id": "on order", "placed": 1}])
    library.commit()
    assert do(Reserve, "c1", title="t9").reason == "TITLE_UNKNOWN"
    assert do(Reserve, "c1", title="on order").ok  # the library system has let somebody wait for it
    assert library.store.count("hold") == 2


def test_where_nothing_tells_which_title_a_copy_is_of_a_hold_is_taken(do: Any, library: Embedded) -> None:
    for row in list(library.store.rows("item")):
        library.store.amend("item", row["item"], {"title_id": ""})
    library.commit()
    assert do(Reserve, "c1", title="t1").ok


def test_a_hold_that_was_placed_is_answered_again_though_the_copies_are_gone_by_then(do: Any, library: Embedded) -> None:
    assert do(Reserve, "c1", title="t4", key="once").ok
    assert do(Reserve, "c1", title="t4", change="delete").ok
    library.store.amend("item", "r1", {"status": "withdrawn"})
    library.commit()
    assert do(Reserve, "c1", title="t4", key="once").again
    assert do(Reserve, "c1", title="t4", key="anew").reason == "TITLE_UNKNOWN"


def test_cancelling_a_checkout_undoes_it_and_sets_off_no_hold(do: Any, library: Embedded) -> None:
    do(Reserve, "c2", item="b1", pickup="main")
    do(Checkout, "c1", item="b1")
    assert do(Checkout, "c1", item="b1", undo=True).ok
    assert library.store.get("item", "b1")["status"] == "available"
    assert library.store.queue("t1")[0]["ready"] == 0
    assert do(Checkout, "c1", item="b1", undo=True).reason == "NOT_LENT"


def test_cancelling_a_return_gives_the_loan_back_as_it_was(do: Any, library: Embedded) -> None:
    do(Checkout, "c1", item="b1")
    do(Reserve, "c2", item="b1", pickup="main")
    before = library.store.get("loan", "b1")
    do(Checkin, item="b1")
    assert do(Checkin, item="b1", undo=True).ok
    assert library.store.get("loan", "b1") == before
    assert library.store.queue("t1")[0] | {"placed": 0, "hold": ""} == {
        "hold": "", "patron": "p2", "title_id": "t1", "item": "", "pickup": "main", "placed": 0, "expires": None, "ready": 0,
    }  # fmt: skip
    assert do(Checkin, item="b1", undo=True).reason == "NOT_RETURNED"


class TestWhatAMachineDidAlone:
    """No block: the patron has gone with the book. It is taken in, with the machine's own time, and staff see what does not fit."""

    def conflicts(self, library: Embedded) -> list[str]:
        return [row["reason"] for row in library.store.rows("conflict")]

    def test_the_loan_has_the_machine_s_own_date(self, do: Any, library: Embedded, clock: Clock) -> None:
        at = clock() - timedelta(hours=5)
        assert do(Checkout, "c1", item="b1", no_block=True, at=at).ok
        assert library.store.get("loan", "b1")["loaned_at"] == int(at.timestamp())
        assert self.conflicts(library) == []

    def test_a_clock_that_is_ahead_is_not_believed(self, do: Any, library: Embedded, clock: Clock) -> None:
        do(Checkout, "c1", item="b1", no_block=True, at=clock() + timedelta(days=400))
        assert library.store.get("loan", "b1")["loaned_at"] == int(clock().timestamp())

    @pytest.mark.parametrize(
        ("card", "item", "reason"), [("c3", "b1", "CARD_EXPIRED"), ("c2", "d1", "TOO_YOUNG"), ("c1", "r1", "ITEM_NOT_FOR_LOAN")]
    )
    def test_a_rule_against_it_is_for_staff_to_see(self, do: Any, library: Embedded, card: str, item: str, reason: str) -> None:
        assert do(Checkout, card, item=item, no_block=True).ok
        assert library.store.get("loan", item) is not None
        assert self.conflicts(library) == [reason]

    def test_an_item_that_another_had_is_theirs_now(self, do: Any, library: Embedded, clock: Clock) -> None:
        do(Checkout, "c2", item="b1")
        clock.on(hours=1)
        assert do(Checkout, "c1", item="b1", no_block=True).ok
        assert library.store.get("loan", "b1")["patron"] == "p1"
        assert self.conflicts(library) == ["ITEM_ON_LOAN"]

    def test_an_unknown_item_is_lent_and_an_unknown_card_is_for_staff(self, do: Any, library: Embedded) -> None:
        assert do(Checkout, "c1", item="new", no_block=True).ok
        assert not do(Checkout, "nobody", item="b1", no_block=True).ok
        assert self.conflicts(library) == ["CARD_UNKNOWN"]

    def test_a_return_told_late_does_not_end_a_newer_loan(self, do: Any, library: Embedded, clock: Clock) -> None:
        long_ago = clock() - timedelta(hours=3)
        do(Checkout, "c1", item="b1")
        assert do(Checkin, item="b1", no_block=True, returned=long_ago).reason == "RETURNED_BEFORE"
        assert library.store.get("loan", "b1") is not None
        assert self.conflicts(library) == ["RETURNED_BEFORE"]
