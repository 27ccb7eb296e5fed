"""Their columns into ours, still as texts: alternatives, value maps, joined columns and identifier pairs of a profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.ils.profile import Column, Identifiers

Bools = npt.NDArray[np.bool_]
Texts = Mapping[str, pa.StringArray]
NOTHING = pa.scalar(None, pa.string())


@dataclass(frozen=True)
class Evaluated:
    """One of our columns as texts; `unknown` rows hold a value that the profile does not know. `layouts`: of its dates, if its own."""

    texts: pa.StringArray
    unknown: Bools | None = None
    layouts: tuple[str, ...] | None = None


def tidy(texts: pa.StringArray) -> pa.StringArray:
    """Without blanks at either end; what is only blanks says nothing."""
    trimmed = pc.ascii_trim_whitespace(texts)
    if trimmed.equals(texts):
        return texts
    return pc.if_else(pc.equal(trimmed, ""), NOTHING, trimmed)


def available(alternatives: tuple[Column, ...], present: frozenset[str]) -> bool:
    """Whether any alternative can be read from the columns that are there."""
    return any(column.always is not None or set(column.source) <= present for column in alternatives)


def evaluate(alternatives: tuple[Column, ...], theirs: Texts, rows: int) -> Evaluated | None:
    """The first alternative that says something, row by row; None if the file has none of their columns."""
    result: pa.StringArray | None = None
    unknown: Bools | None = None
    layouts: tuple[str, ...] = ()
    for column in alternatives:
        found = _one(column, theirs, rows)
        if found is None:
            continue
        layouts += column.dates or ()
        strange = found.unknown
        if strange is not None and result is not None:
            strange = strange & np.asarray(result.is_null())
        if strange is not None:
            unknown = strange if unknown is None else unknown | strange
        result = found.texts if result is None else pc.coalesce(result, found.texts)
    return None if result is None else Evaluated(result, unknown, layouts or None)


def _one(column: Column, theirs: Texts, rows: int) -> Evaluated | None:
    if column.always is not None:
        return Evaluated(pa.repeat(pa.scalar(column.always), rows))
    if any(name not in theirs for name in column.source):
        return None
    parts = [theirs[name] for name in column.source]
    texts = parts[0] if column.join is None else pc.binary_join_element_wise(*parts, column.join)
    if column.values is None:
        return Evaluated(texts)
    return _mapped(texts, column.values, column.other)


def _mapped(texts: pa.StringArray, values: Mapping[str, str | None], other: str | None) -> Evaluated:
    """Their values as ours: exactly, or without regard to case; each distinct value is looked up once."""
    folded = {value.casefold(): ours for value, ours in values.items()}
    coded = texts.dictionary_encode()
    ours: list[str | None] = []
    strange: list[bool] = []
    for value in coded.dictionary.to_pylist():
        known = value in values or value.casefold() in folded
        ours.append((values[value] if value in values else folded[value.casefold()]) if known else value if other == "keep" else other)
        strange.append(not known and other is None)
    mapped = pa.array(ours, pa.string()).take(coded.indices)
    if not any(strange):
        return Evaluated(mapped)
    return Evaluated(mapped, np.asarray(pc.fill_null(pa.array(strange).take(coded.indices), False)))


def identified(identifiers: Identifiers, theirs: Texts, rows: int) -> tuple[dict[str, pa.StringArray | pa.ListArray], list[str], int]:
    """Columns from pairs of kind and value: the first value of a kind, or all of them as a list for `card_numbers`.

    Also which of our columns hold lists, and how many values had a kind that the profile does not know.
    """
    found: dict[str, list[pa.StringArray]] = {ours: [] for ours in identifiers.kinds.values()}
    strangers = 0
    for kinds_name, values_name in identifiers.pairs:
        if kinds_name not in theirs or values_name not in theirs:
            continue
        kinds, values = theirs[kinds_name], theirs[values_name]
        for kind, ours in identifiers.kinds.items():
            found[ours].append(pc.if_else(pc.fill_null(pc.equal(kinds, kind), False), values, NOTHING))
        known = pa.array(list(identifiers.kinds), pa.string())
        strangers += pc.sum(pc.and_(pc.and_(kinds.is_valid(), values.is_valid()), pc.invert(pc.is_in(kinds, value_set=known)))).as_py() or 0
    columns: dict[str, pa.StringArray | pa.ListArray] = {}
    for ours, parts in found.items():
        if parts and ours.endswith("s"):
            # Filled first: with null_handling="skip" Arrow 26 gives no rows at all where every text is null.
            filled = [pc.fill_null(part, "") for part in parts]
            columns[ours] = lists(pc.binary_join_element_wise(*filled, "\n"), "\n")
        elif parts:
            columns[ours] = pc.coalesce(*parts)
    return columns, [ours for ours in columns if ours.endswith("s")], strangers


def lists(texts: pa.StringArray, separator: str | None) -> pa.ListArray:
    """Each text cut at the separator into a list without blanks; null where nothing is left."""
    if separator is None:
        separator = "\n"
    coded = texts.dictionary_encode()
    cut = [[part.strip() for part in text.split(separator) if part.strip()] or None for text in coded.dictionary.to_pylist()]
    return pa.array(cut, pa.list_(pa.string())).take(coded.indices)
