"""What machines are answered does not hang on what is in memory: a back end with hardly any room there, whose file is written behind, that is
killed, begun anew and filled, answers and keeps what one does that asks its file each time."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.circulation.admission import Accept, Admission, Discard, Enrol
from connectors.circulation.domain import Block, Checkin, Checkout, Credentials, Note, Pay, Renew, Request, Reserve
from connectors.circulation.embedded import memory
from connectors.circulation.embedded.backend import Embedded, opened
from connectors.circulation.embedded.direct import COLUMNS
from connectors.circulation.embedded.fillfile import Fill
from connectors.circulation.embedded.filling import build
from connectors.circulation.embedded.rules import Limits, Line, Rules
from connectors.circulation.embedded.sqlite import Sqlite
from connectors.circulation.embedded.store import SCHEMA, Store
from connectors.circulation.embedded.views import when
from connectors.circulation.embedded.writing import Behind
from connectors.circulation.journal import Journal, identity, read
from include.engine.crypto.keys import MemoryKeyStore
from tests.connectors.circulation.conftest import Clock

QUICK = "/dev/shm" if Path("/dev/shm").is_dir() else None  # memory, where durable costs nothing: nobody pulls a plug here
CARDS, ITEMS, TITLES = ["c1", "c2", "c3", "new"], ["b1", "b2", "b3", "d1", "other"], ["t1", "t2", "t3"]
RULES = Rules(
    defaults=Limits(loan_days=28, renewals=1, loans=2, holds=2, fees=Decimal(1)),
    rules=(Line(category="child", material="dvd", loan_days=0),),
)
PATRONS: list[dict[str, Any]] = [
    {"patron": "p1", "name": "Reader One", "category": "adult", "home_library": "main"},
    {"patron": "p2", "name": "Reader Two", "category": "child", "home_library": "north", "pin": "kept"},
]
COPIES: list[dict[str, Any]] = [
    {"item": "b1", "title_id": "t1", "title": "One book", "material": "book", "owner": "main", "location": "main"},
    {"item": "b2", "title_id": "t1", "title": "One book", "material": "book", "owner": "north", "location": "main"},
    {"item": "b3", "title_id": "t2", "title": "Another book", "material": "book", "owner": "main", "location": "main"},
    {"item": "d1", "title_id": "t3", "title": "A film", "material": "dvd", "owner": "main", "location": "main"},
]
CARD_ROWS = [{"card": card, "patron": patron} for card, patron in (("c1", "p1"), ("c2", "p2"), ("c3", "p1"))]
FEES = [{"fee": "f1", "patron": "p1", "outstanding": 90}, {"fee": "f2", "patron": "p2", "outstanding": 250}]

_flag, _branch = st.booleans(), st.sampled_from(["main", "north"])
_card, _item = st.sampled_from(CARDS).map(Credentials), st.sampled_from(ITEMS)
_said: dict[str, Any] = {"key": st.sampled_from(["", "k1", "k2", "k3"]), "branch": _branch, "ago": st.sampled_from([0, 0, 0, 1, 90])}


def _asked(kind: type[Request | Admission], **fields: Any) -> st.SearchStrategy[tuple[type, dict[str, Any]]]:
    return st.tuples(st.just(kind), st.fixed_dictionaries(_said | fields))


_REQUEST = st.one_of(
    *[_asked(Checkout, patron=_card, item=_item, no_block=_flag, renewal_allowed=_flag, undo=st.sampled_from([False, False, True]))] * 3,
    *[_asked(Checkin, item=_item, no_block=_flag, undo=st.sampled_from([False, False, True]))] * 3,
    _asked(Renew, patron=_card, item=st.sampled_from([*ITEMS, ""]), no_block=_flag),
    *[_asked(Reserve, patron=_card, change=st.sampled_from(["add", "add", "delete", "alter"]), item=st.sampled_from(["", "b1", "b3"]),
             title=st.sampled_from(TITLES), pickup=st.sampled_from(["", "main", "north"]))] * 3,
    _asked(Pay, patron=_card, amount=st.sampled_from([Decimal("0.50"), Decimal("0.90"), Decimal(3)]), fee=st.sampled_from(["", "f1"])),
    _asked(Block, patron=_card, blocked=_flag),
    _asked(Note, item=_item, properties=st.sampled_from(["", "wet"])),
    _asked(Accept, item=st.sampled_from(["other", "b1"]), owner=st.just("far"), patron=st.sampled_from([Credentials(""), Credentials("c1")])),
    _asked(Discard, item=st.sampled_from(["other", "b2"])),
    _asked(Enrol, patron=st.just(Credentials("new")), category=st.just("adult")),
)  # fmt: skip
_BESIDES = ["begin", "begin", "end", "lose", "commit", "kill", "stop", "minute", "minute", "day", "pin", "close", "fill", "late fill"]


@st.composite
def _step(draw: st.DrawFn) -> Any:
    """As often a request as something else: of many strategies in one, those of few would hardly ever have their turn."""
    return draw(_REQUEST if draw(st.booleans()) else st.sampled_from(_BESIDES))


@pytest.fixture(scope="module", autouse=True)
def _little_room() -> Iterator[None]:
    kept = memory.MOST_ROWS, memory.MOST_LISTS
    memory.MOST_ROWS, memory.MOST_LISTS = 2, 1
    yield
    memory.MOST_ROWS, memory.MOST_LISTS = kept


class Library:
    """A back end and the half of a commit that is under way."""

    def __init__(self, folder: Path, keys: MemoryKeyStore, clock: Clock, *, remembers: bool) -> None:
        self.folder, self.keys, self.clock, self.remembers = folder, keys, clock, remembers
        self.begun: Behind | None = None
        self.backend = self._open()
        for table, rows in (("patron", PATRONS), ("card", CARD_ROWS), ("item", COPIES), ("fee", FEES)):
            self.backend.store.fill(table, rows)
        self.backend.commit()

    def _open(self) -> Embedded:
        if self.remembers:
            return opened(self.folder, self.keys, RULES, now=self.clock)
        self.folder.mkdir()
        journal = Journal(self.folder / "journal", self.keys, self.keys.ensure("journal", self.folder.name))
        return Embedded(Store(Sqlite(self.folder / "store.db", SCHEMA)), journal, RULES, self.folder, self.keys, now=self.clock)

    def anew(self, *, keep: bool) -> None:
        self.backend.close(keep=keep)
        self.begun, self.backend = None, self._open()

    def begin(self) -> None:
        if self.begun is None:
            self.begun = self.backend.store.behind()

    async def end(self) -> None:
        if self.begun is not None:
            await self.backend.settled()
            await asyncio.to_thread(self.backend.store.write, self.begun)
            self.backend.store.written(self.begun)
            self.begun = None

    async def fill(self, rows: list[dict[str, Any]], until: int, between: list[Any]) -> list[Any]:
        """A fill is taken over, and `between` is asked while it is made."""
        told: dict[str, float | None] = {"patron": self.clock().timestamp() - 60, "item": None, "hold": None, "fee": None}
        fill = Fill("house", identity(self.folder / "journal"), until, told, iter([row.copy() for row in rows]))
        self.backend.tap = []
        await self.backend.settled()
        made, _ = await asyncio.to_thread(build, fill, self.folder, self.keys, self.backend.store)
        answers = [await self.ask(*one) for one in between]
        self.backend.change_over(made, fill)
        self.backend.tap = None
        return answers

    async def ask(self, kind: type, said: dict[str, Any]) -> Any:
        now = self.clock()
        fields = said | {"terminal": "kiosk1", "at": now - timedelta(minutes=said["ago"])}
        fields["key"] = fields["key"] and f"{now:%d%H%M}{fields['key']}"
        request = kind(**{name: value for name, value in fields.items() if name != "ago"})
        return await (self.backend.admit(request) if isinstance(request, Admission) else self.backend.perform(request))

    async def all(self) -> list[Any]:
        """All that machines can be told."""
        people = [await self.backend.patron(Credentials(card)) for card in CARDS]
        return people + [await self.backend.item(item) for item in ITEMS]


def _catalogue(store: Store) -> list[dict[str, Any]]:
    """What the lake has to fill a store with: people and copies as they were at first, loans as they are."""

    def row(kind: str, key: str, **values: Any) -> dict[str, Any]:
        return dict.fromkeys(_COLUMNS) | {"kind": kind, "key": key} | values

    found = [
        row("patron", one["patron"], **{name: value for name, value in one.items() if name not in ("patron", "pin")}) for one in PATRONS
    ]
    found += [row("card", one["card"], patron_id=one["patron"]) for one in CARD_ROWS]
    lent = {one["item"]: one for one in store.rows("loan")}
    found += [
        row(
            "item",
            one["item"],
            status="on_loan" if one["item"] in lent else "available",
            **{name: value for name, value in one.items() if name != "item"},
        )
        for one in COPIES
    ]
    found += [row("loan", one["item"], patron_id=one["patron"], loaned_at=when(one["loaned_at"]), due=when(one["due"]), renewals=one["renewals"])
              for one in lent.values()]  # fmt: skip
    return found


_COLUMNS = ("patron_id", "name", "category", "home_library", "valid_until", "birth_date", "municipality", "block", "address", "email", "phone",
            "title_id", "title", "status", "material", "owner", "location", "call_number", "hold")  # fmt: skip


async def _both(with_memory: Library, alone: Library, steps: list[Any], clock: Clock) -> None:
    for at, step in enumerate(steps):
        if isinstance(step, tuple):
            assert await with_memory.ask(*step) == await alone.ask(*step)
            assert await with_memory.all() == await alone.all()
        elif step == "begin":
            with_memory.begin()
        elif step == "end":
            await with_memory.end()
        elif step == "lose":
            with_memory.begun = None  # as if its write had failed
        elif step == "commit":
            with_memory.backend.commit()
        elif step in ("kill", "stop"):
            with_memory.anew(keep=step == "stop")
            alone.backend._reported.clear()  # what staff were told of is known until the end of a process
        elif step == "minute":
            clock.on(minutes=1)
        elif step == "day":
            clock.on(hours=27)
            for library in (with_memory, alone):
                library.backend.commit()  # what is forgotten by now is gone from both
        elif step == "pin":
            assert await with_memory.backend.keep_pin("c1", f"h{at}") == await alone.backend.keep_pin("c1", f"h{at}")
        elif step == "close":
            numbers = [row["number"] for row in alone.backend.store.rows("conflict")][:1]
            for number in numbers:
                assert await with_memory.backend.close_conflict(number) and await alone.backend.close_conflict(number)
        else:
            newest = alone.backend.store.applied
            rows = _catalogue(alone.backend.store)
            between = [one for one in steps[at + 1 : at + 3] if isinstance(one, tuple)]
            until = newest if step == "fill" else newest // 2
            alone.backend.commit()
            with_memory.backend.commit()
            assert await with_memory.fill(rows, until, between) == await alone.fill(rows, until, between)
    assert await with_memory.all() == await alone.all()
    for table in COLUMNS:
        assert list(with_memory.backend.store.rows(table)) == list(alone.backend.store.rows(table)), table
    await with_memory.backend.settled()
    await alone.backend.settled()
    entries = [list(read(library.folder / "journal", library.keys)) for library in (with_memory, alone)]
    assert entries[0] == entries[1]


@settings(max_examples=40, deadline=None)
@given(st.lists(_step(), min_size=15, max_size=50))
def test_memory_writing_behind_and_beginning_anew_change_no_answer(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory(dir=QUICK) as folder:
        clock, keys = Clock(), MemoryKeyStore()
        with_memory = Library(Path(folder) / "a", keys, clock, remembers=True)
        alone = Library(Path(folder) / "b", keys, clock, remembers=False)
        try:
            asyncio.run(_both(with_memory, alone, steps, clock))
        finally:
            for library in (with_memory, alone):
                library.backend.close(keep=False)
