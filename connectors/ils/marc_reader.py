"""MARC files into staged rows: the seam behind which a faster codec can take the place of this one.

What is asked of a codec is `decoded`: every piece of a stream as a record or as a fault, with its place and bytes. `read_marc` turns these
into Arrow rows by the mappings in include/marc/bindings/ and by the profile (items and holdings carried in a field).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from connectors.ils import incoming, iso2709, marc_decode, marc_number, marcxml
from connectors.ils.columns import available
from connectors.ils.library import Library
from connectors.ils.marc_decode import Decoded, Unreadable
from connectors.ils.profile import Column, Columns, Embedded, Profile, RecordFormat, TableProfile
from connectors.ils.rows import Target, typed
from connectors.ils.texts import TextBlock
from include.engine.errors import SettingsError
from include.engine.inbound.connector import Read
from include.engine.quarantine.schema import set_aside
from include.marc import mapping
from include.marc.record import Record
from include.marc.record import marcxml as as_marcxml

RECORDS = 5_000
#: Characters of leader/06 that say which kind a record is; all others are bibliographic.
KINDS: dict[RecordFormat, dict[str, str]] = {
    "marc21": {"z": "authority", "u": "holding", "v": "holding", "x": "holding", "y": "holding"},
    "unimarc": {"x": "authority", "y": "authority", "z": "authority", "u": "holding", "v": "holding", "w": "holding"},
    "danmarc2": {},
}
Outcome = Decoded | Unreadable


def decoded(stream: BinaryIO, settings: TableProfile, where: str) -> Iterator[tuple[iso2709.Piece, Outcome]]:
    """Every piece of the stream, in order, with the record in it or the reason why there is none."""
    if settings.format == "marcxml":
        for fragment in marcxml.fragments(stream, where):
            yield fragment, _tried(lambda fragment=fragment: marcxml.decode(fragment))
        return
    family, charset = settings.marc, settings.charset
    for piece in iso2709.pieces(stream):
        yield piece, _tried(lambda piece=piece: marc_decode.decode(piece, family, charset))


def _tried(decode: Any) -> Outcome:
    try:
        found: Decoded = decode()
    except Unreadable as unreadable:
        return unreadable
    return found


def read_marc(stream: BinaryIO, member: str, table: str, profile: Profile, library: Library, *, where: str) -> Iterator[Read]:
    """Reads of up to 5,000 records: rows of `table`, and, in Reads of their own, of items and holdings inside them."""
    settings = profile.table(table)
    columns = mapping.load(settings.binding or f"{settings.marc}_{table}")
    batch = _Batch(member, table, profile, settings, library, columns, where)
    for record, (piece, outcome) in enumerate(decoded(stream, settings, where), start=1):
        batch.add(record, piece, outcome)
        if batch.count == RECORDS:
            yield from batch.reads()
            batch = _Batch(member, table, profile, settings, library, columns, where)
    yield from batch.reads()


class _Batch:
    """The records that make the next Reads."""

    def __init__(
        self,
        member: str,
        table: str,
        profile: Profile,
        settings: TableProfile,
        library: Library,
        columns: mapping.ColumnMapping,
        where: str,
    ) -> None:
        self.member, self.table, self.profile, self.settings, self.library = member, table, profile, settings, library
        self.columns, self.where = columns, where
        self.count = 0
        self.rows: list[dict[str, Any]] = []
        self.aside: list[dict[str, Any]] = []
        self.known: list[dict[str, Any]] = []  # of those set aside: which they are
        self.warnings: Counter[str] = Counter()
        self.filtered: Counter[str] = Counter()
        parts = (("item", settings.items), ("holding", settings.holdings))
        self.embedded = {name: _Embedded(embedded) for name, embedded in parts if embedded is not None}

    def add(self, record: int, piece: iso2709.Piece, outcome: Outcome) -> None:
        """Take one piece in."""
        self.count += 1
        place = {"record": record, "offset": piece.offset, "length": len(piece.raw)}
        if isinstance(outcome, Unreadable):
            self.aside.append(
                {"member": self.member, **place, "reason": outcome.reason, "detail": outcome.detail or None, "raw": piece.raw}
            )
            number = self._numbered(marc_number.told(piece.raw, self.settings.marc))
            if number["control_number"]:
                self.known.append(number | {f"_{name}": value for name, value in place.items()} | {"_member": self.member})
            return
        found = outcome.record
        if KINDS[self.settings.marc].get(found.leader[6:7], "bibliographic") != self.table and self.settings.marc != "danmarc2":
            self.filtered["MARC_OTHER_KIND"] += 1
            return
        self.warnings.update(outcome.repairs)
        row = self._numbered(found)
        row["deleted"] = row.get("deleted") == "true"
        row |= {"format": self.settings.marc, "encoding": outcome.encoding, "repaired": ", ".join(outcome.repairs) or None}
        row["marcxml"] = as_marcxml(found)
        self.rows.append(row | {f"_{name}": value for name, value in place.items()} | {"_member": self.member})
        for part in self.embedded.values():
            part.add(found, place, piece.raw, row)

    def _numbered(self, record: Record) -> dict[str, Any]:
        """The record's columns; one that does not say whose it is is the library's own."""
        row = self.columns.row(record)
        return row | {"agency": row.get("agency") or self.library.isil}

    def reads(self) -> Iterator[Read]:
        """The rows so far."""
        schema = incoming.schema(self.table)
        rows, known = (
            pa.RecordBatch.from_arrays(
                [pa.array([_value(row.get(column.name), column.type) for row in found], column.type) for column in schema], schema=schema
            )
            for found in (self.rows, self.known)
        )
        yield Read(self.table, rows, set_aside(self.aside), dict(self.filtered), dict(self.warnings), known)
        for table, part in self.embedded.items():
            if len(part.places):
                target = Target(table, part.columns, self.settings, self.profile, self.library)
                yield typed(part.block(self.member), target, where=self.where)


def _value(value: Any, kind: pa.DataType) -> Any:
    """A year as a number; all else as it is."""
    return int(value) if value is not None and pa.types.is_integer(kind) and isinstance(value, str) else value


class _Embedded:
    """Items or holdings inside bibliographic records, as a block of texts that is read like any table."""

    def __init__(self, embedded: Embedded) -> None:
        self.field, self.indicators = embedded.field, embedded.indicators
        parent: Columns = {name: (Column(source=(name,)),) for name in ("control_number", "agency")}
        self.columns = parent | embedded.columns
        self.codes = sorted({name for alternatives in embedded.columns.values() for column in alternatives for name in column.source})
        if not all(len(code) == 2 and code[0] == "$" for code in self.codes):
            raise SettingsError(f"columns of {embedded.field} name subfields, such as $p", where="profile")
        assert all(available(alternatives, frozenset(self.codes)) for alternatives in embedded.columns.values())
        self.texts: dict[str, list[str | None]] = {name: [] for name in (*self.codes, "control_number", "agency")}
        self.places: list[tuple[int, int, bytes]] = []

    def add(self, record: Record, place: dict[str, int], raw: bytes, row: dict[str, Any]) -> None:
        """Every field of the record that carries one; a subfield that comes twice counts by its first."""
        for found in record.named(self.field):
            if found.data is not None or (self.indicators and found.indicators != self.indicators):
                continue
            values: dict[str, str] = {}
            for code, value in found.subfields:
                values.setdefault(f"${code}", value)
            for code in self.codes:
                self.texts[code].append(values.get(code) or None)
            self.texts["control_number"].append(row["control_number"])
            self.texts["agency"].append(row["agency"])
            self.places.append((place["record"], place["offset"], raw))

    def block(self, member: str) -> TextBlock:
        """All of them."""
        places = self.places
        return TextBlock(
            member,
            {name: pa.array(texts, pa.string()) for name, texts in self.texts.items()},
            np.array([record for record, _, _ in places], np.int64),
            np.array([offset for _, offset, _ in places], np.int64),
            np.array([len(raw) for _, _, raw in places], np.int64),
            lambda row: places[row][2],
        )
