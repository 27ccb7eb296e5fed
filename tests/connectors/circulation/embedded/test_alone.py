"""What a machine did while it was alone ("no block") is taken in, or staff are told of it: never neither."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from connectors.circulation.domain import Checkin, Checkout, Credentials, Outcome, Renew, Request
from connectors.circulation.embedded.backend import Embedded
from tests.connectors.circulation.conftest import Clock


@pytest.fixture
def told(library: Embedded, clock: Clock) -> Any:
    def run(kind: type[Request], **more: Any) -> Outcome:
        return asyncio.run(library.perform(kind(terminal="kiosk1", at=clock(), branch="main", key="k1", no_block=True, **more)))

    return run


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
