"""The library system goes away and comes back: kiosks go on, everything is told once and in order, and staff see what does not fit."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from connectors.circulation.backend import Away
from connectors.circulation.domain import Checkout, Credentials, Pay, Reserve
from connectors.circulation.embedded.rules import Limits, Line, Rules
from connectors.circulation.forwarding import Forwarding
from connectors.circulation.forwarding.copy import Copy
from connectors.circulation.forwarding.report import as_csv, rows
from connectors.circulation.forwarding.state import State
from connectors.circulation.journal import read
from connectors.circulation.lake.events import Event, events
from connectors.circulation.pins import hashed
from include.sandbox.servers.ils.state import Copy as Book
from include.sandbox.servers.ils.state import Debt, Loan, Patron
from tests.connectors.circulation.forwarding.conftest import Place


def _reasons(forwarding: Forwarding) -> list[tuple[str, str]]:
    return [(one.asked.get("item", ""), one.reason) for one in forwarding.conflicts()]


def test_an_hour_away_is_told_in_order_and_what_does_not_fit_is_listed(place: Place) -> None:
    place.library.reserve(place.library.patrons[2], 3, "main", place.library.copies["d2"])

    async def work(forwarding: Forwarding) -> None:
        assert (await forwarding.perform(place.lend("b1"))).ok
        place.off()
        place.clock.on(minutes=1)
        told = []
        for request in (
            place.lend("b2"),
            place.back("b1"),
            place.lend("b1", "c2"),
            place.lend("d1", "c3"),
            place.lend("d2"),
            place.renew("b2"),
        ):
            told.append(await forwarding.perform(request))
            place.clock.on(minutes=10)
        assert [(one.ok, one.reason) for one in told] == [(True, "AWAY_ACCEPTED")] * 6
        assert (forwarding.breaker.state, len(forwarding.state.waiting)) == ("half open", 6)
        who = await forwarding.patron(Credentials("c1"))
        assert who is not None and [loan.item for loan in who.loans] == ["b2", "d2"]
        assert await forwarding.turn() == 0 and forwarding.breaker.state == "open"
        place.on()
        assert await forwarding.turn() == 0  # it is not asked again before its time
        place.clock.on(seconds=10)
        place.library.lent.clear()
        assert await forwarding.turn() == 6
        assert place.library.lent[:2] == [("c1", "b2"), ("c2", "b1")]
        found = dict(_reasons(forwarding))
        assert found["d1"] == "CARD_EXPIRED"  # neither lets that be overruled
        assert found["d2"] in ("RESERVED", "ITEM_HELD")
        assert ("c3", "d1") not in place.library.lent
        # After the hour: one patron's return, then another's loan, as they were at the kiosk.
        assert place.library.loans["b1"].patron.card == "c2"
        assert not forwarding.state.waiting and forwarding.breaker.state == "closed"
        assert (await forwarding.perform(place.back("b2"))).reason == "OTHER_BRANCH"

    place.run(work)


def test_both_sides_of_a_conflict_are_shown_and_staff_close_it(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        place.off()
        place.clock.on(minutes=1)
        assert (await forwarding.perform(place.lend("d1", "c3"))).ok
        place.on()
        place.clock.on(minutes=1)
        assert await forwarding.turn() == 1
        conflict = forwarding.conflicts()[0]
        zone = forwarding.rules.zone
        shown = next(rows([conflict], "en", zone))
        assert (shown["machine"].split(",")[0], shown["system"], shown["explained"]) == ("ok", "no, CARD_EXPIRED", "The card has expired")
        assert (shown["card"], next(rows([conflict], "en", zone, masked=False))["card"]) == ("…c3", "c3")
        assert "CARD_EXPIRED" in as_csv([shown])
        assert await forwarding.close_conflict(conflict.number)
        assert not await forwarding.close_conflict(conflict.number)

    place.run(work)
    place.run(_nothing_is_open)


async def _nothing_is_open(forwarding: Forwarding) -> None:
    assert forwarding.conflicts() == []


def test_what_waits_survives_a_restart_and_is_told_once(place: Place) -> None:
    async def first(forwarding: Forwarding) -> None:
        place.off()
        assert (await forwarding.perform(place.lend("b1", key="same"))).ok
        again = await forwarding.perform(place.lend("b1", key="same"))
        assert (again.ok, again.again) == (True, True)

    async def second(forwarding: Forwarding) -> None:
        assert len(forwarding.state.waiting) == 1
        assert await forwarding.turn() == 1
        assert (await forwarding.perform(place.lend("b1", key="same"))).again

    place.run(first)
    place.on()
    place.run(second)
    place.run(second_nothing)
    assert place.library.lent == [("c1", "b1")]


async def second_nothing(forwarding: Forwarding) -> None:
    assert await forwarding.turn() == 0


@pytest.mark.parametrize("fault", ["change_error", "change_cut"])
def test_a_live_loan_whose_answer_was_lost_is_found_and_answered(place: Place, fault: str) -> None:
    async def work(forwarding: Forwarding) -> None:
        place.faults.set(fault)
        outcome = await forwarding.perform(place.lend("b1"))
        assert (outcome.ok, outcome.reason, outcome.due) == (True, "", place.library.loans["b1"].due)
        assert not forwarding.state.waiting

    place.run(work)
    assert place.library.lent == [("c1", "b1")]


def test_a_slow_loan_that_is_done_after_its_time_out_is_not_made_twice(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        place.faults.seconds = 0.9
        place.faults.set("slow", 2)  # the change itself comes late, and so does the question whether it was done
        assert (await forwarding.perform(place.lend("b1"))).reason == "AWAY_ACCEPTED"
        place.faults.left.clear()
        await asyncio.sleep(1)
        place.clock.on(seconds=10)
        assert await forwarding.turn() == 1
        assert forwarding.conflicts() == []

    place.run(work)
    assert place.library.lent == [("c1", "b1")]


@pytest.mark.parametrize("fault", ["change_error", "change_cut"])
def test_a_replay_whose_answer_was_lost_is_looked_up_and_not_repeated(place: Place, fault: str) -> None:
    async def work(forwarding: Forwarding) -> None:
        place.off()
        place.clock.on(minutes=1)
        for item in ("b1", "b2", "d1"):
            assert (await forwarding.perform(place.lend(item))).ok
        place.on()
        place.clock.on(minutes=1)
        place.faults.set(fault, 1)
        told = await forwarding.turn()
        place.clock.on(minutes=1)
        assert told + await forwarding.turn() == 3
        # Neither takes a due date from us: the film is due earlier by its rules than the kiosk told by ours.
        assert _reasons(forwarding) == [("d1", "DUE_DIFFERS")]

    place.run(work)
    assert place.library.lent == [("c1", "b1"), ("c1", "b2"), ("c1", "d1")]


def test_a_transaction_that_always_fails_does_not_hold_up_the_others(place: Place) -> None:
    place.policy = place.policy.model_copy(update={"tries": 2})

    async def work(forwarding: Forwarding) -> None:
        place.off()
        place.clock.on(minutes=1)
        for item in ("b1", "b2"):
            await forwarding.perform(place.lend(item))
        place.on()
        lend = place.library.lend

        def trips(patron: Patron, copy: Book, *more: object) -> Loan:
            if copy.barcode == "b1":
                raise RuntimeError("the library system trips over this one copy")
            return lend(patron, copy, *more)  # type: ignore[arg-type]

        place.library.lend = trips  # type: ignore[assignment, method-assign]
        for _ in range(2):
            place.clock.on(minutes=1)
            await forwarding.turn()
        assert _reasons(forwarding) == [("b1", "ILS_FAILS")]
        assert place.library.lent == [("c1", "b2")]

    place.run(work)


def test_what_the_policy_does_not_accept_is_not_answered_ok(place: Place) -> None:
    place.policy = place.policy.model_copy(
        update={"cards": "c[0-9]", "loans": 2, "hours": 1.0, "services": frozenset({"checkout", "checkin"})}
    )

    async def work(forwarding: Forwarding) -> None:
        place.off()
        assert [(await forwarding.perform(place.lend(item))).reason for item in ("b1", "b2", "d1")] == ["AWAY_ACCEPTED"] * 2 + [
            "TOO_MANY_LOANS"
        ]
        assert (await forwarding.perform(place.lend("d1", "x1"))).reason == "CARD_UNKNOWN"
        assert (await forwarding.perform(place.lend("b1", "c2"))).reason == "ITEM_ON_LOAN"
        with pytest.raises(Away):
            await forwarding.perform(place.renew("b1"))
        with pytest.raises(Away):
            await forwarding.perform(Reserve("k1", place.clock(), patron=Credentials("c1"), item="b1"))
        undone = await forwarding.perform(place.lend("b1", undo=True, key="undo"))
        assert (undone.ok, (await forwarding.perform(place.lend("b1", "c2"))).ok) == (True, True)
        place.clock.on(hours=2)
        with pytest.raises(Away):
            await forwarding.perform(place.lend("d2", "c2"))
        assert await forwarding.online()

    place.run(work)


def test_a_pin_that_was_right_serves_while_the_library_system_is_away(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        right = Credentials("c1", "1234")
        assert (await forwarding.patron(right)).pin_right is True  # type: ignore[union-attr]
        place.off()
        assert (await forwarding.patron(right)).pin_right is True  # type: ignore[union-attr]
        assert (await forwarding.patron(Credentials("c1", "9"))).pin_right is None  # type: ignore[union-attr]

    place.run(work)


def test_while_something_waits_for_an_item_nothing_overtakes_it(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        place.off()
        await forwarding.perform(place.lend("b1"))
        place.on()
        forwarding.breaker.answered()  # it is back, and nothing was told yet
        assert (await forwarding.perform(place.back("b1"))).reason == "AWAY_ACCEPTED"
        assert (await forwarding.perform(place.lend("b2", "c2"))).reason == ""
        assert await forwarding.turn() == 2
        assert "b1" not in place.library.loans and "b2" in place.library.loans

    place.run(work)


def test_money_that_was_taken_is_told_once(place: Place) -> None:
    place.library.debts[9] = Debt(9, place.library.patrons[1], Decimal(50), Decimal(50))
    pay = Pay("k1", place.clock(), "main", "pay1", patron=Credentials("c1"), amount=Decimal("20.00"), transaction="T1")

    async def work(forwarding: Forwarding) -> None:
        place.off()
        assert (await forwarding.perform(pay)).transaction == "T1"
        place.on()
        place.clock.on(minutes=1)
        place.faults.set("change_error")
        await forwarding.turn()
        place.clock.on(minutes=1)
        await forwarding.turn()
        assert not forwarding.state.waiting and forwarding.conflicts() == []
        over = Pay("k1", place.clock(), "main", "pay2", patron=Credentials("c1"), amount=Decimal(99))
        assert (await forwarding.perform(over)).reason == "PAID_TOO_MUCH"
        assert [one.reason for one in forwarding.conflicts()] == ["PAID_TOO_MUCH"]

    place.run(work)
    assert place.library.debts[9].left == 0 and place.library.payments[0].amount == 20


def test_a_machine_that_was_alone_is_reported_where_it_does_not_fit(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        alone = place.lend("d1", "c3", no_block=True)
        assert (await forwarding.perform(alone)).reason == "CARD_EXPIRED"
        assert _reasons(forwarding) == [("d1", "CARD_EXPIRED")]

    place.run(work)


def test_a_live_request_that_was_cut_off_by_a_kill_is_looked_up_when_it_is_repeated(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        request = place.lend("b1", key="cut")
        await forwarding._journaled({"kind": "asking", "key": "cut"})
        await forwarding.remote.perform(request)  # and here the process ends: nobody was answered

    async def after(forwarding: Forwarding) -> None:
        assert (await forwarding.perform(place.lend("b1", key="cut"))).ok

    place.run(work)
    place.run(after)
    assert place.library.lent == [("c1", "b1")]


def test_a_checkpoint_holds_everything(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        assert (await forwarding.perform(place.lend("b1", key="one"))).ok
        place.off()
        await forwarding.perform(place.lend("b2"))
        await forwarding.checkpoint()
        state = State()
        state.restore(forwarding.state.snapshot())
        assert state.snapshot() == forwarding.state.snapshot()
        assert len(state.waiting) == 1 and "one" in state.done

    async def after(forwarding: Forwarding) -> None:
        assert len(forwarding.state.waiting) == 1
        assert (await forwarding.perform(place.lend("b1", key="one"))).again

    place.run(work)
    place.run(after)
    kinds = [entry.data["kind"] for entry in read(place.home / "journal", place.keys)]
    assert kinds == ["asking", "checkout", "asking", "accepted", "forwarding", "forwarding", "forwarding"]


def test_no_name_and_no_pin_is_in_the_journal(place: Place) -> None:
    request = place.lend("b1")
    place.do(request, place.lend("b2", key=""))
    text = str([entry.data for entry in read(place.home / "journal", place.keys)])
    assert "Reader" not in text and "1234" not in text


def test_a_copy_says_who_may_borrow_what_until_when(place: Place, tmp_path: Path) -> None:
    copy = Copy.at(tmp_path / "copy", Rules(defaults=Limits(loan_days=28, fees=Decimal(10)), rules=(Line(material="dvd", loan_days=7),)))
    copy.store.fill(
        "patron",
        [
            {"patron": "p1", "name": "Reader One", "pin": hashed("1234")},
            {"patron": "p2", "name": "Reader Two", "block": "CARD_LOST"},
            {"patron": "p3", "name": "Class 4B", "valid_until": "2026-11-19"},
            {"patron": "p4", "name": "Reader Four"},
        ],
    )
    copy.store.fill("card", [{"card": f"c{n}", "patron": f"p{n}"} for n in range(1, 5)])
    copy.store.fill("item", [{"item": "d1", "title": "A film", "material": "dvd"}, {"item": "d2", "status": "lost"}])
    copy.store.fill("fee", [{"fee": "f1", "patron": "p4", "outstanding": 1100}])
    place.policy = place.policy.model_copy(update={"unknown_cards": "refuse", "unknown_items": "refuse"})

    async def work(forwarding: Forwarding) -> None:
        place.off()
        tried = [("d1", "c1"), ("d1", "c2"), ("d1", "c3"), ("d1", "c4"), ("d2", "c1"), ("b9", "c1"), ("d1", "c9")]
        told = [await forwarding.perform(place.lend(item, card)) for item, card in tried]
        assert [one.reason for one in told] == [
            "AWAY_ACCEPTED", "CARD_LOST", "CARD_EXPIRED", "OWES_TOO_MUCH", "ITEM_NOT_FOR_LOAN", "ITEM_UNKNOWN", "CARD_UNKNOWN",
        ]  # fmt: skip
        assert told[0].due is not None and told[0].due.date() == (place.clock() + timedelta(days=7)).date()
        who = await forwarding.patron(Credentials("c1", "1234"))
        assert who is not None and (who.name, who.pin_right, [loan.title for loan in who.loans]) == ("Reader One", True, ["A film"])
        wrong = Checkout("k1", place.clock(), "main", "wrong", patron=Credentials("c1", "4321"), item="d1")
        assert (await forwarding.perform(wrong)).reason == "PIN_WRONG"

    place.run(work, copy)


def test_the_lake_hears_of_loans_once_the_library_system_has_them(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        await forwarding.perform(place.lend("b1"))
        place.off()
        place.clock.on(minutes=1)
        for request in (place.lend("b2"), place.lend("d1", "c3"), place.back("b1")):
            await forwarding.perform(request)
        place.on()
        place.clock.on(hours=1)
        await forwarding.turn()

    place.run(work)
    found = [one for one in events(read(place.home / "journal", place.keys), place.library.zone) if isinstance(one, Event)]
    assert [(one.event, one.item, one.branch) for one in found] == [("loan", "b1", "main"), ("loan", "b2", "main")]
    assert len({one.patron for one in found}) == 1 and found[1].loaned_at < place.clock() - timedelta(minutes=30)


def test_what_was_not_answered_is_left_alone_for_a_moment(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        place.off()
        await forwarding.perform(place.lend("b1"))
        place.on()
        place.clock.on(minutes=1)
        place.faults.set("change_error")
        assert await forwarding.turn() == 0
        forwarding.breaker.answered()
        asked = len(place.faults.asked)
        assert await forwarding.turn() == 0 and len(place.faults.asked) == asked
        place.clock.on(seconds=11)
        assert await forwarding.turn() == 1

    place.run(work)
    assert place.library.lent == [("c1", "b1")]
