"""The loan file of ADHL: `Udlånsdato,Lånerid,Køn,Fødselsår,Lokalid[,Lokalid...]`, a line a loan or a line a patron and day.

Source: DBC's page on delivering loan data (2015): date ÅÅÅÅMMDD; Lånerid and Lokalid without hyphens and blanks; Køn m or k; Fødselsår
four digits. How a line ends is not said: here with LF (assumption). Everything is ASCII, so the transfile's character set does not matter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

COLUMNS = ("loan_date", "borrower", "sex", "birth_year", "local_id")
_KEY = [("loan_date", "ascending"), ("borrower", "ascending"), ("sex", "ascending"), ("birth_year", "ascending"), ("local_id", "ascending")]
_LINE = re.compile(r"(\d{8}),([^,\s-]+),([mk]?),(\d{4}|),([^,\s-]+(?:,[^,\s-]+)*)")


@dataclass(frozen=True)
class Line:
    """One line, read back."""

    loan_date: date
    borrower: str
    sex: str | None
    birth_year: int | None
    local_ids: tuple[str, ...]


def render(rows: pa.Table, *, many_titles: bool) -> bytes:
    """The lines of `rows` (COLUMNS; none null but sex and birth_year), ordered by day and borrower: nothing says in which order they came.

    With `many_titles` what one borrower took home on one day is one line.
    """
    if not rows.num_rows:
        return b""
    rows = rows.select(COLUMNS).sort_by(_KEY).combine_chunks()
    first = _first_of_each(rows) if many_titles else None
    lead = rows if first is None else rows.filter(first)
    heads = [
        _days(lead.column("loan_date")),
        _text(lead.column("borrower")),
        pc.fill_null(_text(lead.column("sex")), ""),
        pc.fill_null(_text(lead.column("birth_year")), ""),
    ]
    titles = _text(rows.column("local_id"))
    if first is not None:
        titles = _joined(titles, first)
    joined = pc.binary_join_element_wise(*heads, titles, pa.scalar(",", pa.large_string()))
    return _with_ends(joined)


def parse(line: str) -> Line:
    """A line without its end, as a receiver reads it. ValueError where it is none."""
    found = _LINE.fullmatch(line)
    if not found:
        raise ValueError("it is no line of a loan file")
    day, borrower, sex, year, titles = found.groups()
    at = date(int(day[:4]), int(day[4:6]), int(day[6:]))
    return Line(at, borrower, sex or None, int(year) if year else None, tuple(titles.split(",")))


def _first_of_each(rows: pa.Table) -> pa.Array:
    """Whether a row begins another line than the one before it."""
    changed = pa.array([True])
    if rows.num_rows > 1:
        differs = None
        for name in COLUMNS[:4]:
            column = rows.column(name).combine_chunks()
            here, before = column.slice(1), column.slice(0, len(column) - 1)
            one = pc.or_(pc.fill_null(pc.not_equal(here, before), False), pc.not_equal(here.is_null(), before.is_null()))
            differs = one if differs is None else pc.or_(differs, one)
        changed = pa.concat_arrays([changed, differs])
    return changed


def _joined(titles: pa.Array, first: pa.Array) -> pa.Array:
    """The titles of each line, joined by commas."""
    starts = pc.indices_nonzero(first).cast(pa.int64())
    offsets = pa.concat_arrays([starts, pa.array([len(titles)], pa.int64())])
    return pc.binary_join(pa.LargeListArray.from_arrays(offsets, titles), pa.scalar(",", pa.large_string()))


def _days(days: pa.ChunkedArray) -> pa.Array:
    """ÅÅÅÅMMDD; each distinct day is spelt once."""
    coded = days.combine_chunks().dictionary_encode()
    return pc.strftime(coded.dictionary, format="%Y%m%d").cast(pa.large_string()).take(coded.indices)


def _text(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return whole.cast(pa.large_string())


def _with_ends(lines: pa.Array) -> bytes:
    """The lines, each with its LF, as one piece: the array's own bytes, copied once."""
    ended = pc.binary_join_element_wise(lines, pa.scalar("", pa.large_string()), pa.scalar("\n", pa.large_string()))
    _, offsets, data = ended.buffers()
    ends = memoryview(offsets).cast("q")
    return bytes(memoryview(data)[ends[ended.offset] : ends[ended.offset + len(ended)]])
