"""What the library system does not agree with: both sides are shown until staff have closed it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from connectors.circulation.domain import Block, Credentials, Pay
from connectors.circulation.forwarding import Forwarding
from connectors.circulation.forwarding.report import as_csv, rows
from tests.connectors.circulation.forwarding.conftest import Place, reasons


def test_both_sides_of_a_conflict_are_shown_and_staff_close_it(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        place.off()
        place.clock.on(minutes=1)
        assert (await forwarding.perform(place.lend("d1", "c3"))).ok
        place.on()
        place.clock.on(minutes=1)
        assert await forwarding.turn() == 1
        conflict = forwarding.conflicts()[0]
        zone = forwarding.terms.zone
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


def test_a_machine_that_was_alone_is_reported_where_it_does_not_fit(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        alone = place.lend("d1", "c3", no_block=True)
        assert (await forwarding.perform(alone)).reason == "CARD_EXPIRED"
        assert reasons(forwarding) == [("d1", "CARD_EXPIRED")]

    place.run(work)


def test_days_that_differ_are_told_whether_a_machine_was_alone_or_the_library_system_away(place: Place) -> None:
    week = place.clock() + timedelta(days=7)

    async def work(forwarding: Forwarding) -> None:
        await forwarding.perform(place.lend("b1", no_block=True, due=week))
        (conflict,) = forwarding.conflicts()
        assert (conflict.reason, conflict.said["due"], conflict.found["due"][:10]) == ("DUE_DIFFERS", week.isoformat(), "2026-12-18")

    place.run(work)


def test_one_day_of_the_library_s_is_one_day_whatever_it_is_in_utc(place: Place) -> None:
    # Half past midnight in Copenhagen, on the day that the rules say; in UTC that is the day before.
    place.library.due = lambda at, days: datetime(2026, 12, 17, 23, 30, tzinfo=UTC)  # type: ignore[method-assign]

    async def work(forwarding: Forwarding) -> None:
        place.off()
        told = await forwarding.perform(place.lend("b1"))
        assert told.due == datetime(2026, 12, 18, 22, 59, tzinfo=UTC)
        place.on()
        place.clock.on(minutes=1)
        assert await forwarding.turn() == 1
        assert forwarding.conflicts() == []

    place.run(work)


def test_a_card_that_a_machine_has_kept_is_told_to_staff_though_it_was_kept_while_the_library_system_was_away(place: Place) -> None:
    place.policy = place.policy.model_copy(update={"services": frozenset({"block"})})
    block = Block("k1", place.clock(), "main", "kept", patron=Credentials("c1"), card_retained=True)

    async def work(forwarding: Forwarding) -> None:
        place.off()
        await forwarding.patron(Credentials("c2"))  # and so it is noticed: what Koha has no call for it need not be asked
        assert (await forwarding.perform(block)).ok
        place.on()
        place.clock.on(minutes=1)
        assert await forwarding.turn() == 1
        wanted = {"koha": "TERMINAL_CANNOT", "folio": "CARD_BLOCKED_BY_TERMINAL"}[place.kind]
        assert [(one.kind, one.reason) for one in forwarding.conflicts()] == [("block", wanted)]

    place.run(work)


def test_money_that_was_taken_and_is_not_booked_is_told_to_staff_whatever_the_reason(place: Place) -> None:
    pay = Pay("k1", place.clock(), "main", "pay1", patron=Credentials("c1"), amount=Decimal(20), currency="EUR")

    async def work(forwarding: Forwarding) -> None:
        assert (await forwarding.perform(pay)).reason == "CURRENCY_WRONG"
        assert [(one.kind, one.reason) for one in forwarding.conflicts()] == [("fee", "CURRENCY_WRONG")]

    place.run(work)
