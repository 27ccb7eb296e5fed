"""Rows of text out of columns, with broken rows among them whose kind and reason code are known.

A broken row is a copy of a good one under a number of its own, with one thing wrong: the good rows stay whole, and what a delivery must
give can be counted while it is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.sandbox.world.chance import Index
from include.sandbox.world.text import Strings, joined, octets

Columns = dict[str, Strings]
"""Header (JSON lines: dotted path) -> values; null is an empty field (JSON lines: left out)."""

NOT_UTF8 = "\ue000"
"""Stands for a lone byte that is no UTF-8, until the row is bytes."""


@dataclass(frozen=True)
class Fault:
    """One way of being broken. `sets` gives columns a constant (None: nothing); `row` changes the whole row; neither: the same row again."""

    kind: str
    code: str
    sets: Mapping[str, str | None] = field(default_factory=dict)
    row: Literal["short", "long", "not_utf8", "nul"] | None = None

    @property
    def again(self) -> bool:
        return not self.sets and self.row is None


@dataclass(frozen=True)
class Layout:
    """How rows are written. `raw` names JSON values that are no strings, `quoted` the CSV columns in quotes (None: all of them)."""

    format: Literal["csv", "jsonl"] = "csv"
    delimiter: str = ","
    end: str = "\n"
    charset: Literal["utf-8", "iso-8859-1"] = "utf-8"
    bom: bool = False
    quoted: frozenset[str] | None = frozenset()
    raw: frozenset[str] = frozenset()


@dataclass
class Tally:
    """What was written: `good` rows, broken ones by kind, and by the reason code that is expected; `repaired` of the good are mended by a reader."""

    good: int = 0
    repaired: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)


Fresh = Callable[[Index], Strings]
"""Row positions in the chunk -> numbers for broken rows that no good row has."""


def header(layout: Layout, columns: Columns) -> bytes:
    """The first line of a CSV file, nothing for JSON lines."""
    if layout.format == "jsonl":
        return b""
    names = [f'"{name}"' if layout.quoted is None else name for name in columns]
    text = layout.delimiter.join(names) + layout.end
    return (b"\xef\xbb\xbf" if layout.bom else b"") + text.encode(layout.charset)


_OWN = ("Kortnumre",)
"""Columns that no two rows share: a copy of a row goes without."""


def written(
    chunks: Iterator[tuple[Columns, Fresh]], layout: Layout, key: str, faults: list[Fault], bad: float, tally: Tally, mended: bool = False
) -> Iterator[bytes | memoryview]:
    """The file's bytes, chunk by chunk, counted in `tally`. `bad` is the share of broken rows among all; `mended` writes those without their fault."""
    apart = round((1 - bad) / bad) if bad > 0 and faults else 0
    row = 0
    for number, (columns, fresh) in enumerate(chunks):
        if number == 0:
            yield header(layout, columns)
        length = len(next(iter(columns.values())))
        tally.good += length
        lines = _lines(columns, layout)
        if apart:
            after = np.flatnonzero((np.arange(row, row + length) + 1) % apart == 0)
            lines = _spoilt(lines, columns, layout, key, faults, fresh, after, (after + row + 1) // apart - 1, tally, mended)
        row += length
        yield _bytes(lines, layout)


def _spoilt(
    lines: Strings,
    columns: Columns,
    layout: Layout,
    key: str,
    faults: list[Fault],
    fresh: Fresh,
    after: Index,
    count: Index,
    tally: Tally,
    mended: bool,
) -> Strings:
    """`lines` with a broken one after each position of `after`; the `count`th broken row has the fault of that place in turn."""
    extra, places = [], []
    for number, fault in enumerate(faults):
        rows = after[count % len(faults) == number]
        if not len(rows) or (mended and fault.again):
            continue
        if not mended:
            tally.kinds[fault.kind] += len(rows)
            tally.codes[fault.code] += len(rows)
        else:
            tally.good += len(rows)
        copy = {name: values.take(pa.array(rows)) for name, values in columns.items()}
        if not fault.again:
            copy[key] = fresh(rows)
            copy |= {name: pa.nulls(len(rows), pa.string()) for name in _OWN if name in copy}
        if not mended:
            copy |= {name: pa.array([value] * len(rows), pa.string()) for name, value in fault.sets.items()}
        extra.append(_lines(copy, layout) if mended else _broken(_lines(copy, layout), fault, layout))
        places.append(rows)
    if not extra:
        return lines
    together = pa.concat_arrays([_one(lines), *map(_one, extra)])
    keys = np.concatenate([np.arange(len(lines)) * 2, np.concatenate(places) * 2 + 1])
    return together.take(pa.array(np.argsort(keys, kind="stable")))


def _broken(lines: Strings, fault: Fault, layout: Layout) -> Strings:
    body = pc.utf8_slice_codeunits(lines, 0, -len(layout.end))
    if fault.row == "short":
        # The last two fields are cut off: of JSON lines, the closing brace goes with them.
        body = pc.replace_substring_regex(body, rf"{layout.delimiter}[^{layout.delimiter}]*{layout.delimiter}[^{layout.delimiter}]*$", "")
    elif fault.row == "long":
        body = joined(body, f"{layout.delimiter}1{layout.delimiter}2")
    elif fault.row == "not_utf8":
        body = pc.replace_substring(body, layout.delimiter, NOT_UTF8 + layout.delimiter, max_replacements=2)
    elif fault.row == "nul":
        body = pc.replace_substring(body, layout.delimiter, "\x00" + layout.delimiter, max_replacements=2)
    return joined(body, layout.end)


def _lines(columns: Columns, layout: Layout) -> Strings:
    if layout.format == "jsonl":
        return joined(_object(columns, layout.raw), layout.end)
    every = layout.quoted is None
    parts = [joined('"', values, '"') if every or name in (layout.quoted or ()) else values for name, values in columns.items()]
    return joined(joined(*parts, separator=layout.delimiter), layout.end)


def _object(columns: Columns, raw: frozenset[str], path: str = "") -> Strings:
    """One JSON object a row; dotted names nest, `0` is the first element of a list."""
    members, inner = [], dict[str, Columns]()
    for name, values in columns.items():
        head, dot, rest = name.partition(".")
        if dot:
            inner.setdefault(head, {})[rest] = values
            if len(inner[head]) == 1:
                members.append(head)
        else:
            members.append(name)
    parts = []
    for name in members:
        if name not in inner:
            value = columns[name] if path + name in raw else _kept(columns[name], '"', '"')
        elif {part.partition(".")[0] for part in inner[name]} == {"0"}:
            only = {part.partition(".")[2]: values for part, values in inner[name].items()}
            value = joined("[", _object(only, raw, f"{path}{name}.0."), "]")
        else:
            value = _object(inner[name], raw, f"{path}{name}.")
        parts.append(_kept(value, f',"{name}":', ""))
    # Not null_handling="skip": with it, Arrow drops a row whose parts are all null.
    return joined("{", pc.utf8_slice_codeunits(joined(*parts), 1), "}")


def _kept(values: Strings, before: str, after: str) -> Strings:
    """Joined, but null where `values` is."""
    return pc.binary_join_element_wise(before, values, after, "", null_handling="emit_null")


def _one(values: Strings) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _bytes(lines: Strings, layout: Layout) -> bytes | memoryview:
    data = octets(lines)
    if layout.charset == "utf-8":
        lone = NOT_UTF8.encode()
        return bytes(data).replace(lone, b"\xe5") if pc.any(pc.match_substring(lines, NOT_UTF8)).as_py() else data
    return bytes(data).decode().encode(layout.charset)
