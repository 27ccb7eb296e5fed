"""The library system is away: the policy, the copy and what waits say what a kiosk is answered."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from connectors.circulation.backend import Away
from connectors.circulation.domain import Checkout, Credentials, Reserve
from connectors.circulation.embedded.rules import Limits, Line, Rules
from connectors.circulation.forwarding import Forwarding
from connectors.circulation.forwarding.copy import Copy
from connectors.circulation.pins import hashed
from tests.connectors.circulation.forwarding.conftest import Place


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


def test_a_pin_that_comes_while_the_copy_is_filled_waits_until_it_is_there(tmp_path: Path) -> None:
    copy = Copy.at(tmp_path / "copy", Rules())
    copy.store.fill("patron", [{"patron": "p1", "name": "Reader One"}])
    copy.tap = []  # as keeping.py has it from the reading of the old store to the changing over
    with pytest.raises(Away):
        asyncio.run(copy.keep_pin("p1", hashed("1234")))
    copy.tap = None
    assert asyncio.run(copy.keep_pin("p1", hashed("1234")))
    copy.close()


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


class _NoDay(date):
    """A day as old databases have it."""

    def isoformat(self) -> str:
        return "0000-00-00"


def test_one_patron_of_whom_something_is_odd_does_not_make_the_library_system_away(place: Place) -> None:
    place.library.patrons[1].born = _NoDay(1980, 5, 1)

    async def work(forwarding: Forwarding) -> None:
        for _ in range(3):
            assert await forwarding.patron(Credentials("c1")) is not None  # as far as the sidecar knows them by itself
        assert forwarding.breaker.state == "closed"
        other = await forwarding.patron(Credentials("c2"))
        assert other is not None and other.name == "Reader Two"

    place.run(work)
