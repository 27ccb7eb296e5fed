"""Whose turn it is: a copy waits for one patron at a time, where that patron fetches it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from connectors.circulation.domain import Checkin, Checkout, Credentials, Outcome, Request, Reserve
from connectors.circulation.embedded.backend import Embedded
from tests.connectors.circulation.conftest import Clock


@pytest.fixture
def do(library: Embedded, clock: Clock) -> Any:
    def run(kind: type[Request], card: str = "", **more: Any) -> Outcome:
        who = {"patron": Credentials(card)} if card else {}
        clock.on(minutes=1)
        return asyncio.run(library.perform(kind(**{"terminal": "kiosk1", "at": clock(), "branch": "main", **who, **more})))

    return run


def _claims(library: Embedded, item: str) -> list[str]:
    return [hold["patron"] for hold in library.store.queue("t1") if hold["item"] == item]


def test_a_hold_that_is_changed_keeps_its_place_and_says_it(do: Any) -> None:
    do(Reserve, "c2", title="t1")
    assert do(Reserve, "c1", title="t1").hold.position == 2
    assert do(Reserve, "c1", title="t1", change="alter", pickup="north").hold.position == 2


def test_a_copy_on_its_way_to_a_patron_is_not_given_to_who_lost_theirs_meanwhile(do: Any, library: Embedded) -> None:
    do(Reserve, "c2", title="t1", pickup="main")
    do(Reserve, "c1", title="t1", pickup="north")
    assert [do(Checkin, item=item).waiting.patron for item in ("b1", "b2")] == ["p2", "p1"]
    assert do(Checkout, "c3", item="b1", no_block=True).ok  # a machine that was alone lent what waited for the other
    assert do(Checkin, item="b2", branch="north").waiting.patron == "p1"
    assert (_claims(library, "b2"), library.store.get("item", "b2")["status"]) == (["p1"], "on_hold")
    assert do(Checkin, item="b1").waiting.patron == "p2"


def test_a_copy_whose_hold_is_cancelled_is_not_ready_where_it_does_not_lie(do: Any, library: Embedded) -> None:
    do(Reserve, "c2", title="t1", pickup="main")
    do(Reserve, "c1", title="t1", pickup="north")
    do(Checkin, item="b1")
    assert do(Reserve, "c2", title="t1", change="delete").ok
    assert (_claims(library, "b1"), library.store.queue("t1")[0]["ready"]) == (["p1"], 0)
    assert library.store.get("item", "b1")["status"] == "in_transit"
    assert do(Checkin, item="b1", branch="north").route == "north"
    assert (library.store.queue("t1")[0]["ready"], library.store.get("item", "b1")["status"]) == (1, "on_hold")


def test_a_copy_whose_hold_is_cancelled_does_not_go_to_one_that_has_run_out(do: Any, library: Embedded, clock: Clock) -> None:
    do(Reserve, "c2", title="t1", pickup="main")
    do(Reserve, "c1", title="t1", pickup="main", expires=clock() + timedelta(days=1))
    clock.on(days=2)
    do(Checkin, item="b1")
    assert do(Reserve, "c2", title="t1", change="delete").ok
    assert (_claims(library, "b1"), library.store.get("item", "b1")["status"]) == ([], "available")
