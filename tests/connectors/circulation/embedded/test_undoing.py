"""A loan that is undone at the machine leaves the holds as they stood before it, over a kill and a filling, and the lake hears of neither."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.circulation.domain import Checkin, Checkout, Credentials, Outcome, Request, Reserve
from connectors.circulation.embedded.backend import Embedded, opened
from connectors.circulation.embedded.fillfile import Fill
from connectors.circulation.embedded.filling import build
from connectors.circulation.embedded.rules import Rules
from connectors.circulation.embedded.views import when
from connectors.circulation.journal import identity, read
from connectors.circulation.journal.reading import Entry
from connectors.circulation.lake.events import events, without_undone
from connectors.circulation.lake.outbound import CONTRACT
from include.engine.contract.arrow import arrow_schema
from include.engine.contract.loading import load
from include.engine.crypto.keys import MemoryKeyStore
from tests.connectors.circulation.conftest import Clock, take_over

Do = Callable[..., Outcome]


@pytest.fixture
def do(library: Embedded, clock: Clock) -> Do:
    def run(kind: type[Request], card: str = "", **more: Any) -> Outcome:
        clock.on(minutes=1)
        who = {"patron": Credentials(card)} if card else {}
        return asyncio.run(library.perform(kind(**{"terminal": "kiosk1", "at": clock(), "branch": "main", **who, **more})))

    return run


def waits(library: Embedded) -> tuple[list[dict[str, Any]], tuple[str, str]]:
    """The queue of the title t1, and how its copy b1 stands."""
    item = library.store.get("item", "b1")
    assert item is not None
    return library.store.queue("t1"), (item["status"], item["hold"])


def test_the_hold_waits_on_its_shelf_again_until_its_day_and_the_next_one_behind_it(do: Do, library: Embedded, clock: Clock) -> None:
    do(Reserve, "c2", item="b1", pickup="main", expires=clock() + timedelta(days=7))
    do(Reserve, "c1", item="b1", pickup="main")
    assert do(Checkin, item="b1").waiting.patron == "p2"  # type: ignore[union-attr]
    before = waits(library)
    assert before[0][0]["ready"] and before[1][0] == "on_hold"
    assert do(Checkout, "c2", item="b1").ok
    assert do(Checkout, "c2", item="b1", undo=True).ok
    assert waits(library) == before
    assert do(Checkout, "c1", item="b1").reason == "ITEM_HELD"
    assert do(Checkout, "c2", item="b1").ok
    assert [hold["patron"] for hold in library.store.queue("t1")] == ["p1"]


def test_a_hold_that_waited_for_any_copy_has_its_place_again_and_the_copy_is_free(do: Do, library: Embedded) -> None:
    for card in ("c2", "c1"):
        do(Reserve, card, title="t1")
    before = waits(library)
    do(Checkout, "c2", item="b1")
    do(Checkout, "c2", item="b1", undo=True)
    assert waits(library) == before == (before[0], ("available", ""))


def test_a_copy_that_a_machine_lent_alone_to_somebody_else_waits_for_its_patron_again(do: Do, library: Embedded) -> None:
    do(Reserve, "c2", item="b1", pickup="main")
    do(Checkin, item="b1")
    before = waits(library)
    assert do(Checkout, "c1", item="b1", no_block=True).ok
    assert not library.store.queue("t1")[0]["ready"]
    assert do(Checkout, "c1", item="b1", undo=True).ok
    assert waits(library) == before


@pytest.mark.parametrize("meanwhile", ["anew", "another copy", "cancelled"])
def test_a_hold_that_is_another_s_matter_by_now_does_not_come_back(do: Do, library: Embedded, meanwhile: str) -> None:
    do(Reserve, "c2", item="b1", pickup="main")
    do(Checkin, item="b1")
    if meanwhile == "anew":
        do(Checkout, "c2", item="b1")
        assert do(Reserve, "c2", title="t1", pickup="north").ok
        do(Checkout, "c2", item="b1", undo=True)
        assert [(one["pickup"], one["ready"]) for one in library.store.queue("t1")] == [("north", 0)]
    else:
        do(Checkout, "c1", item="b1", no_block=True)
        if meanwhile == "another copy":
            assert do(Checkin, item="b2").waiting.patron == "p2"  # type: ignore[union-attr]
        else:
            assert do(Reserve, "c2", title="t1", change="delete").ok
        do(Checkout, "c1", item="b1", undo=True)
        assert [(one["item"], one["ready"]) for one in library.store.queue("t1")] == ([("b2", 1)] if meanwhile == "another copy" else [])
    assert waits(library)[1] == ("available", "")


def test_an_older_loan_s_holds_do_not_come_back_with_a_newer_one(do: Do, library: Embedded) -> None:
    do(Reserve, "c2", item="b1", pickup="main")
    do(Checkin, item="b1")
    do(Checkout, "c2", item="b1")
    do(Checkin, item="b1")
    do(Checkout, "c2", item="b1")
    assert do(Checkout, "c2", item="b1", undo=True).ok
    assert waits(library) == ([], ("available", ""))


def test_what_stood_before_a_loan_is_let_go_of_after_a_day(do: Do, library: Embedded, clock: Clock) -> None:
    do(Reserve, "c2", item="b1")
    do(Checkout, "c2", item="b1")
    library.commit()
    assert library.store.count("filled") == 1
    clock.on(hours=27)
    library.commit()
    assert library.store.count("filled") == 0


@pytest.mark.parametrize("committed", [False, True])
def test_a_kill_between_loan_and_undoing_and_after_it_changes_nothing_of_that(
    do: Do, library: Embedded, home: Path, keys: MemoryKeyStore, rules: Rules, clock: Clock, committed: bool
) -> None:
    do(Reserve, "c2", item="b1", pickup="main")
    do(Checkin, item="b1")
    before = waits(library)
    do(Checkout, "c2", item="b1")
    if committed:
        library.commit()
    for undone in (False, True):
        library.close(keep=False)
        take_over(library, opened(home, keys, rules, now=clock))
        if not undone:
            assert do(Checkout, "c2", item="b1", undo=True).ok
        assert waits(library) == before


def test_a_store_that_is_filled_between_loan_and_undoing_gives_the_hold_back_all_the_same(
    do: Do, library: Embedded, home: Path, keys: MemoryKeyStore
) -> None:
    do(Reserve, "c2", item="b1", pickup="main")
    do(Checkin, item="b1")
    before = waits(library)
    do(Checkout, "c2", item="b1")
    library.commit()
    loan = library.store.get("loan", "b1")
    assert loan is not None
    nothing = dict.fromkeys(arrow_schema(load(CONTRACT)).names)
    rows = [
        *({"kind": "patron", "key": f"p{n}", "name": f"Reader {n}"} for n in (1, 2)),
        {"kind": "card", "key": "c2", "patron_id": "p2"},
        *({"kind": "item", "key": name, "title_id": "t1", "status": "available"} for name in ("b1", "b2", "d1", "d2", "r1")),
        {"kind": "loan", "key": "b1", "patron_id": "p2"} | {name: when(loan[name]) for name in ("loaned_at", "due")},
    ]
    fill = Fill("lindeby", identity(home / "journal"), library.store.applied, {}, (nothing | row for row in rows))
    made, _ = build(fill, home, keys, library.store)
    library.tap = []
    library.change_over(made, fill)
    assert do(Checkout, "c2", item="b1", undo=True).ok
    assert waits(library) == before


def test_the_lake_is_told_of_neither_the_loan_nor_its_undoing(do: Do, library: Embedded, home: Path, keys: MemoryKeyStore) -> None:
    do(Reserve, "c2", item="b1", pickup="main")
    do(Checkin, item="b1")
    do(Checkout, "c2", item="b1")
    do(Checkout, "c2", item="b1", undo=True)
    library.commit()
    entries = [Entry(number, data) for number, data in read(home / "journal", keys)]
    stand, out = without_undone(events(entries, ZoneInfo("Europe/Copenhagen")))
    assert stand == []
    assert sorted(reason for _, reason in out) == ["LOAN_UNDONE", "LOAN_UNDONE", "NOT_A_LOAN", "NOT_A_LOAN"]
