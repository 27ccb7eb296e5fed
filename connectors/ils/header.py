"""The first line of a delimited file: which of its columns we read, which are new, and which are not there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from connectors.ils.damaged import fields_of
from connectors.ils.profile import TableProfile
from include.engine.errors import Refused

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Header:
    """`names` in the file's order, as the file writes them; `index` of each column that the profile reads, by the profile's own name."""

    names: tuple[str, ...]
    raw: tuple[bytes, ...]
    line: bytes
    index: dict[str, int]
    warnings: Counter[str]


def wanted(profile: TableProfile) -> set[str]:
    """Every column of theirs that the profile reads."""
    columns = {name for alternatives in profile.columns.values() for column in alternatives for name in column.source}
    return columns | {name for pair in (profile.identifiers.pairs if profile.identifiers else ()) for name in pair}


def read_header(line: bytes, profile: TableProfile, charset: str, where: str) -> Header:
    """Read the header line (without its line end). Names match without regard to case and surrounding blanks.

    Raises Refused: HEADER_MISSING (no known column at all, or no text), HEADER_DUPLICATE (a column that is read stands there twice).
    """
    try:
        decoded = line.decode(charset)
    except UnicodeDecodeError as error:
        raise Refused(
            f"the header is not {charset}", where=where, do="Deliver the file in that character set.", code="CHARSET_REFUSED"
        ) from error
    if "\0" in decoded:
        raise Refused("the file is not plain text (UTF-16, or a spreadsheet's own format)", where=where, code="CHARSET_REFUSED")
    cells = fields_of(line, profile.delimiter.encode(), profile.quote.encode())
    if cells is None:
        raise Refused("a quote in the header is never closed", where=where, code="HEADER_MISSING")
    names = tuple(cell.decode(charset).strip() for cell in cells)
    folded: dict[str, list[int]] = {}
    for at, name in enumerate(names):
        folded.setdefault(name.casefold(), []).append(at)
    reads = wanted(profile)
    index: dict[str, int] = {}
    for name in sorted(reads):
        places = folded.get(name.casefold(), [])
        if len(places) > 1:
            what = f"the column {name} stands {len(places)} times in the header"
            raise Refused(what, where=where, code="HEADER_DUPLICATE", values={"column": name})
        if places:
            index[name] = places[0]
    if not index:
        expected = ", ".join(sorted(reads)[:6])
        raise Refused(f"the first line names none of the columns that we read ({expected}, ...)", where=where, code="HEADER_MISSING")
    known = {name.casefold() for name in reads} | {name.casefold() for name in profile.ignored}
    warnings = Counter({f"COLUMN_NEW:{name}": 1 for name in names if name and name.casefold() not in known})
    return Header(names, tuple(cell.strip() for cell in cells), line, index, warnings)
