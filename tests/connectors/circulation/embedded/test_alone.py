"""What a machine did while it was alone ("no block") is taken in, or staff are told of it: never neither."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from connectors.circulation.domain import Checkin, Checkout, Credentials, Outcome, Renew, Request
from connectors.circulation.embedded.backend import Embedded
from connectors.circulation.lockout import HERE, Guarded, Lockout
from tests.connectors.circulation.conftest import Clock


@pytest.fixture
def told(library: Embedded, clock: Clock) -> Any:
    def run(kind: type[Request], **more: Any) -> Outcome:
        return asyncio.run(library.perform(kind(terminal="kiosk1", at=clock(), branch="main", key="k1", no_block=True, **more)))

    return run


def test_a_loan_with_a_wrong_pin_stands_and_is_for_staff(told: Any, library: Embedded) -> None:
    assert told(Checkout, patron=Credentials("c1", "4321"), item="b1").ok
    assert told(Checkout, patron=Credentials("c1", "4321"), item="b1").again
    assert (library.store.get("loan", "b1")["patron"], _conflicts(library)) == ("p1", ["PIN_WRONG"])


def test_a_loan_stands_where_the_card_is_locked_out_and_no_pin_is_tried(library: Embedded, clock: Clock) -> None:
    lockout = Lockout()
    machine = Guarded(library, lockout, "kiosk1")
    for _ in range(HERE):
        lockout.wrong("c1", "kiosk1")
    asked = Checkout("kiosk1", clock(), "main", patron=Credentials("c1", "1234"), item="b1")
    assert asyncio.run(machine.perform(asked)).reason == "PIN_LOCKED"
    assert asyncio.run(machine.perform(replace(asked, no_block=True))).ok
    assert library.store.get("loan", "b1") is not None and lockout.locked("c1", "kiosk1")


def _conflicts(library: Embedded) -> list[str]:
    return [row["reason"] for row in library.store.rows("conflict")]


def test_a_lost_item_that_came_back_is_for_staff(told: Any, library: Embedded) -> None:
    library.store.apply([["item", library.store.get("item", "b1") | {"status": "lost"}]])
    assert not told(Checkin, item="b1").ok
    assert _conflicts(library) == ["ITEM_NOT_FOR_LOAN"]


@pytest.mark.parametrize(("card", "reason"), [("nobody", "CARD_UNKNOWN"), ("c1", "NOT_LENT"), ("c2", "NOT_LENT_TO_YOU")])
def test_a_renewal_that_cannot_be_is_for_staff(told: Any, library: Embedded, clock: Clock, card: str, reason: str) -> None:
    if card == "c2":
        asyncio.run(library.perform(Checkout("kiosk1", clock(), "main", patron=Credentials("c1"), item="b1")))
    assert told(Renew, patron=Credentials(card), item="b1").reason == reason
    assert _conflicts(library) == [reason]
