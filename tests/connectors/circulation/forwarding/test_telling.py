"""The library system comes back: everything is told once and in order, and answers that were lost are looked up."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from connectors.circulation.domain import Credentials, Pay
from connectors.circulation.forwarding import Forwarding
from include.sandbox.servers.ils.state import Debt
from tests.connectors.circulation.forwarding.conftest import Place, reasons


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
        found = dict(reasons(forwarding))
        assert found["d1"] == "CARD_EXPIRED"  # neither lets that be overruled
        assert found["d2"] in ("RESERVED", "ITEM_HELD")
        assert ("c3", "d1") not in place.library.lent
        # After the hour: one patron's return, then another's loan, as they were at the kiosk.
        assert place.library.loans["b1"].patron.card == "c2"
        assert not forwarding.state.waiting and forwarding.breaker.state == "closed"
        assert (await forwarding.perform(place.back("b2"))).reason == "OTHER_BRANCH"

    place.run(work)


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
        place.faults.set("change_late")
        assert (await forwarding.perform(place.lend("b1"))).reason == "AWAY_ACCEPTED"
        assert "b1" not in place.library.loans  # it was looked for at once, and was not there
        place.faults.release.set()
        async with asyncio.timeout(60):
            while "b1" not in place.library.loans:
                await asyncio.sleep(0.005)
        place.clock.on(minutes=1)
        assert await forwarding.turn() == 1 and forwarding.conflicts() == []

    place.run(work)
    assert place.library.lent == [("c1", "b1")]
    assert (
        len([path for method, path in place.faults.asked if method == "POST" and path.endswith(("/checkouts", "/check-out-by-barcode"))])
        == 1
    )


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
        assert reasons(forwarding) == [("d1", "DUE_DIFFERS")]

    place.run(work)
    assert place.library.lent == [("c1", "b1"), ("c1", "b2"), ("c1", "d1")]


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


def test_what_may_have_been_done_before_is_looked_up_though_it_came_again_while_the_library_system_was_away(place: Place) -> None:
    place.library.debts[9] = Debt(9, place.library.patrons[1], Decimal(50), Decimal(50))
    pay = Pay("k1", place.clock(), "main", "cut", patron=Credentials("c1"), amount=Decimal(20), transaction="T1")

    async def killed(forwarding: Forwarding) -> None:
        await forwarding._journaled({"kind": "asking", "key": "cut"})
        await forwarding.remote.perform(pay)  # and here the process ends

    async def after(forwarding: Forwarding) -> None:
        place.off()
        await forwarding.perform(place.lend("b1", "c2"))
        assert forwarding.breaker.state != "closed"
        assert (await forwarding.perform(pay)).ok  # accepted without a question
        place.on()
        place.clock.on(minutes=1)
        assert await forwarding.turn() == 2

    place.run(killed)
    place.run(after)
    assert [one.amount for one in place.library.payments] == [20]


def test_a_machine_that_was_alone_lends_and_takes_back_and_neither_is_forgotten(place: Place) -> None:
    alone = (place.lend("b1", no_block=True), place.back("b1", no_block=True, returned=place.clock()))
    place.clock.on(minutes=20)

    async def work(forwarding: Forwarding) -> None:
        for request in alone:  # both are told at once, when the machine has its line again
            place.clock.on(seconds=1)
            assert (await forwarding.perform(request)).ok
        assert forwarding.conflicts() == []

    place.run(work)
    assert place.library.loans == {}


@pytest.mark.parametrize("away", [False, True])
def test_a_return_from_before_a_later_loan_does_not_end_that(place: Place, away: bool) -> None:
    late = place.back("b1", no_block=True, returned=place.clock())
    place.clock.on(hours=3)

    async def work(forwarding: Forwarding) -> None:
        if away:
            place.off()
        assert (await forwarding.perform(place.lend("b1", "c2"))).ok
        place.clock.on(minutes=10)
        if away:
            place.on()
            assert await forwarding.turn() == 1
        assert (await forwarding.perform(late)).reason == "RETURNED_BEFORE"
        assert reasons(forwarding) == [("b1", "RETURNED_BEFORE")]

    place.run(work)
    assert place.library.loans["b1"].patron.card == "c2"
