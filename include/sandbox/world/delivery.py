"""What each library delivers on the two days, written to a folder and entered on the answer sheet."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

from include.sandbox.world import files, ids
from include.sandbox.world.answers import Answer, Changes
from include.sandbox.world.chance import Index
from include.sandbox.world.events import events
from include.sandbox.world.loans import INTERLIBRARY, Flags, Loans, loans
from include.sandbox.world.patrons import patrons
from include.sandbox.world.render import almvik, catalogue, havnsund, lindeby, marcxml, molendal
from include.sandbox.world.render.lines import Columns, Fault, Fresh, Tally, written
from include.sandbox.world.requests import fees, holds
from include.sandbox.world.stock import Stock
from include.sandbox.world.text import Strings
from include.sandbox.world.world import World

FORMS: dict[str, ModuleType] = {"lindeby": lindeby, "havnsund": havnsund, "almvik": almvik, "molendal": molendal}
KEYS = {
    "lindeby": {"loan": "Udlånsnr", "patron": "Lånernr", "item": "Eksemplarnr", "hold": "Reserveringsnr", "fee": "Gebyrnr"},
    "havnsund": {"loan": "issue_id", "patron": "borrowernumber", "hold": "reserve_id", "fee": "accountlines_id"},
    "almvik": {"loan": "id", "patron": "id", "hold": "id", "fee": "id"},
    "molendal": {"loan": "uitleenid", "patron": "bc1val", "hold": "reserveringid", "fee": "schuldid"},
}
SUFFIX = {"lindeby": ".csv", "havnsund": ".csv", "almvik": ".jsonl", "molendal": ".csv"}
BIB = {"lindeby": ".xml.gz", "havnsund": ".mrc", "almvik": ".mrc", "molendal": ".mrc"}
_FAR = 100_000_000
"""Broken rows take their numbers from this far beyond the good ones."""
_PATRONS = 20_000

Mode = Literal["full", "delta", "append"]
Chunks = Iterator[tuple[Columns, Fresh]]


@dataclass(frozen=True)
class Clerk:
    """Writes one library's files of one day into a folder."""

    stock: Stock
    out: Path
    bad: float

    @property
    def world(self) -> World:
        return self.stock.world

    @property
    def id(self) -> str:
        return self.stock.world.library.id

    @property
    def form(self) -> ModuleType:
        return FORMS[self.id]

    def name(self, table: str, suffix: str | None = None, day: int | None = None) -> str:
        """`loans_20260831.csv`: the table's files and the day."""
        when = self.world.last + timedelta(days=(day or self.stock.day) - 1)
        return f"{table}_{when:%Y%m%d}{suffix or SUFFIX[self.id]}"

    def rows(
        self, name: str, table: str, chunks: Chunks, faults: list[Fault], *, mode: Mode = "full", mended: bool = False, **facts: Any
    ) -> Answer:
        """Writes a file of rows."""
        tally = Tally()
        body = written(chunks, self.form.LAYOUT, KEYS[self.id][table], faults, self.bad, tally, mended)
        size, sha256 = files.write(self.out / name, body)
        answer = Answer.of(tally, file=name, day=self.stock.day, table=table, mode=mode, bytes=size, sha256=sha256, **facts)
        return replace(answer, rows=answer.rows or {table: tally.good})

    def patrons(
        self, name: str | None = None, index: Index | None = None, *, mode: Mode = "full", mended: bool = False, note: str = ""
    ) -> Answer:
        found = self.stock.patrons if index is None else index
        return self.rows(
            name or self.name("patrons"), "patron", self._patrons(found), self.form.PATRON_FAULTS, mode=mode, mended=mended, note=note
        )

    def _patrons(self, index: Index) -> Chunks:
        for start in range(0, len(index), _PATRONS):
            part = index[start : start + _PATRONS]
            yield self.form.patrons(self.world, patrons(self.world, part, self.stock.moved(part))), _fresh(self.world, ids.patron_id, part)

    def items(self) -> Answer:
        """The item file of a library that has one."""
        return self.rows(self.name("items"), "item", self._items(), self.form.ITEM_FAULTS)

    def _items(self) -> Chunks:
        for start in range(0, len(self.stock.items), _PATRONS):
            part = self.stock.items[start : start + _PATRONS]
            yield self.form.items(self.world, self.stock.items_of(part)), _fresh(self.world, ids.item_id, part)

    def bibliographic(self, titles: Index | None = None, *, mode: Mode = "full", bad: float | None = None) -> Answer:
        """The catalogue; its items too, where they are in the records."""
        number = self.stock.titles if titles is None else titles
        tally, carries = Tally(), self.id != "lindeby"
        body: Iterator[bytes] = catalogue.bibliographic(
            self.world,
            number,
            self.stock.items_of if carries else None,
            self.bad if bad is None else bad,
            tally,
            self.stock.corrected(number),
            repairable=self.stock.day == 1,
        )
        if self.id == "lindeby":
            body = _framed(body)
        name = self.name("bib_full" if self.id == "havnsund" and mode == "full" else "bib", BIB[self.id])
        size, sha256 = files.write(self.out / name, body)
        rows = {"bibliographic": tally.good}
        if carries:
            everything = self.stock.items
            rows["item"] = int(np.isin(self.world.item_title(everything), number).sum())
        if self.id == "almvik":
            rows["holding"] = len(number)
        return Answer.of(tally, file=name, day=self.stock.day, table="bibliographic", mode=mode, rows=rows, bytes=size, sha256=sha256)

    def authorities(self) -> Answer:
        tally = Tally()
        body: Iterator[bytes] = catalogue.authorities(self.world, tally)
        name = self.name("authority", BIB[self.id])
        size, sha256 = files.write(self.out / name, _framed(body) if self.id == "lindeby" else body)
        return Answer.of(
            tally, file=name, day=self.stock.day, table="authority", mode="full", rows={"authority": tally.good}, bytes=size, sha256=sha256
        )

    def holds(self) -> Answer:
        found = holds(self.world)
        chunk = self.form.holds(self.world, found), _fresh(self.world, ids.hold_id, found.index)
        return self.rows(self.name("holds"), "hold", iter([chunk]), self.form.HOLD_FAULTS)

    def fees(self) -> Answer:
        chunks = ((self.form.fees(self.world, found), _fresh(self.world, ids.fee_id, found.ordinal)) for found in fees(self.world))
        return self.rows(self.name("fees"), "fee", chunks, self.form.FEE_FAULTS)

    def loan_events(self) -> Answer:
        """All events so far on the first day, those of the day on the second (Lindeby)."""
        foreign: list[Index] = []
        first = None if self.stock.day == 1 else self.stock.on

        def chunks() -> Chunks:
            for found in events(self.world, first, self.stock.on):
                foreign.append(found.loan.ordinal[found.loan.kind == INTERLIBRARY])
                yield self.form.loan_events(self.world, found), _fresh(self.world, ids.loan_id, found.loan.ordinal)

        answer = self.rows(self.name("loans", ".zip"), "loan", chunks(), self.form.LOAN_FAULTS, mode="append", loans="events")
        return _with_foreign(answer, foreign)

    def loans(self, kept: Callable[[Loans], Index] | None = None, **facts: Any) -> Answer:
        """Loans, a row each, as they stand at the end of the day; `kept` says which of a chunk."""
        foreign: list[Index] = []

        def chunks() -> Chunks:
            for found in loans(self.world, last=self.stock.on):
                some = found if kept is None else found.where(kept(found))
                if len(some) or kept is None:
                    foreign.append(some.ordinal[some.kind == INTERLIBRARY])
                    yield self.form.loans(self.world, some, self.stock.on), _fresh(self.world, ids.loan_id, some.ordinal)

        name = str(facts.pop("name", self.name("loans")))
        return _with_foreign(self.rows(name, "loan", chunks(), self.form.LOAN_FAULTS, **facts), foreign)

    def again(self, answer: Answer, name: str, source: Path) -> Answer:
        """The same bytes under another name."""
        shutil.copyfile(source / answer.file, self.out / name)
        return replace(answer, file=name, day=2, outcome="duplicate", changes={}, note=f"the same bytes as {answer.file}")


def _fresh(world: World, identify: Callable[[World, Index], Strings], index: Index) -> Fresh:
    return lambda rows: identify(world, index[rows] + _FAR)


def _framed(body: Iterator[bytes]) -> Iterator[bytes]:
    yield marcxml.HEAD.encode()
    yield from body
    yield marcxml.TAIL.encode()


def _with_foreign(answer: Answer, foreign: list[Index]) -> Answer:
    """Broken copies of such rows are not counted: they name the items of good ones."""
    rows = np.concatenate(foreign) if foreign else np.zeros(0, dtype=np.int64)
    return replace(answer, unknown_items=len(np.unique(rows)), unknown_item_rows=len(rows))


def chosen(where: Flags) -> Index:
    """The positions that are true."""
    return np.flatnonzero(where)


def first_day(world: World, out: Path, bad: float = 0.0, only: Collection[str] | None = None) -> list[Answer]:
    """Everything the library has, as whole exports. `only` names tables (`bibliographic`, `loan`...)."""
    clerk = Clerk(Stock(world, 1), out, bad)
    # Koha's patrons come as deltas from the first day on: the first holds everybody.
    patrons_as: Mode = "delta" if world.library.id == "havnsund" else "full"
    work: list[tuple[str, Callable[[], Answer]]] = [
        ("bibliographic", clerk.bibliographic), ("authority", clerk.authorities), ("patron", lambda: clerk.patrons(mode=patrons_as)), 
        ("hold", clerk.holds), ("fee", clerk.fees),
    ]  # fmt: skip
    if world.library.id == "lindeby":
        work += [("item", clerk.items), ("loan", clerk.loan_events)]
    elif world.library.id == "almvik":
        last = clerk.stock.on
        work.append(("loan", lambda: clerk.loans(lambda found: chosen(found.end > last), name=clerk.name("loans_open"), loans="open")))
        back = {"name": clerk.name("loans_history"), "loans": "history", "mode": "delta"}
        work.append(("loan", lambda: clerk.loans(lambda found: chosen(found.end <= last), **back)))
    else:
        mode = "delta" if world.library.id == "havnsund" else "full"
        work.append(("loan", lambda: clerk.loans(loans="history", mode=mode)))
    answers = [make() for table, make in work if only is None or table in only]
    return [
        answer if answer.changes else replace(answer, changes={table: Changes(added=count) for table, count in answer.rows.items()})
        for answer in answers
    ]
