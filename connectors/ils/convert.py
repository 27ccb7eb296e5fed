"""Texts of a column into the type that its contract asks for.

What cannot be read is told by row and reason; nothing is guessed, and nothing raises for a value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.ils.layouts import DAY, Moments, moments
from connectors.ils.profile import TableProfile
from connectors.ils.zones import to_local, to_utc

Bools = npt.NDArray[np.bool_]
NUMBER = {".": r"^[+-]?[0-9]{1,15}(\.[0-9]{0,2}0*)?$", ",": r"^[+-]?[0-9]{1,15}(,[0-9]{0,2}0*)?$"}
THOUSANDS = {".": r"^[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]{0,2})?$", ",": r"^[+-]?[0-9]{1,3}([. ][0-9]{3})+(,[0-9]{0,2})?$"}


@dataclass(frozen=True)
class Typed:
    """A column of values. `bad` rows are null because their text could not be read, for `reason`."""

    values: pa.Array
    bad: Bools | None = None
    reason: str = ""
    warnings: Counter[str] = field(default_factory=Counter)


Cache = dict[object, Moments]


def convert(
    texts: pa.StringArray,
    kind: pa.DataType,
    profile: TableProfile,
    zone: str,
    layouts: tuple[str, ...] | None = None,
    cache: Cache | None = None,
) -> Typed:
    """Read `texts` as the Arrow type `kind` by the profile's conventions. `layouts` overrides those of the profile."""
    if pa.types.is_string(kind):
        return Typed(texts)
    if pa.types.is_date(kind):
        return _dates(texts, profile, zone, layouts or (*profile.times, *profile.dates), cache)
    if pa.types.is_timestamp(kind):
        return _times(texts, profile, zone, layouts or (*profile.times, *profile.dates), cache)
    if pa.types.is_boolean(kind):
        return _booleans(texts, profile)
    if pa.types.is_decimal(kind):
        return _checked(texts, lambda good: _decimals(good, profile.decimal, kind), kind)
    if pa.types.is_integer(kind):
        return _checked(texts, lambda good: good.cast(pa.int64()).cast(kind), kind)
    raise TypeError(f"no way to read texts as {kind}")


def _read(texts: pa.StringArray, profile: TableProfile, layouts: tuple[str, ...], cache: Cache | None) -> Moments:
    """The moments of a column, read once although a day and a time of it are asked for."""
    key = (id(texts), layouts)
    if cache is not None and key in cache:
        return cache[key]
    known = texts
    if profile.zero_dates and len(texts):
        zero = pc.is_in(texts, value_set=pa.array(profile.zero_dates, pa.string()))
        known = pc.if_else(zero, pa.scalar(None, pa.string()), texts) if pc.any(zero).as_py() else texts
    found = moments(known, layouts)
    if found.bad.any():
        trimmed = pc.utf8_trim_whitespace(known)
        trimmed = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
        if not trimmed.equals(known):
            known, found = trimmed, moments(trimmed, layouts)
    if cache is not None:
        cache[key] = found
    return found


def _dates(texts: pa.StringArray, profile: TableProfile, zone: str, layouts: tuple[str, ...], cache: Cache | None) -> Typed:
    found = _read(texts, profile, layouts, cache)
    local = found.micros
    moved = found.timed if profile.clock == "utc" else found.absolute & found.timed
    if moved.any():
        local = np.where(moved, to_local(local, zone), local)
    days = (local // DAY).astype(np.int32)
    return Typed(pa.array(days, pa.int32(), mask=found.empty | found.bad).view(pa.date32()), found.bad, "DATE_UNREADABLE")


def _times(texts: pa.StringArray, profile: TableProfile, zone: str, layouts: tuple[str, ...], cache: Cache | None) -> Typed:
    found = _read(texts, profile, layouts, cache)
    utc, warnings = found.micros, Counter[str]()
    here = ~found.absolute & found.timed
    if profile.clock == "local" and here.any():
        moved, gap = to_utc(utc, zone)
        utc = moved if here.all() else np.where(here, moved, utc)
        if late := int((gap & here & ~found.bad & ~found.empty).sum()):
            warnings["TIME_IN_DST_GAP"] = late
    # A day without a time of day is no moment: it reads as null here, and its date column still has it.
    mask = found.empty | found.bad | ~found.timed
    return Typed(pa.array(utc, pa.int64(), mask=mask).view(pa.timestamp("us", tz="UTC")), found.bad, "DATE_UNREADABLE", warnings)


def _booleans(texts: pa.StringArray, profile: TableProfile) -> Typed:
    meaning = {value.casefold(): True for value in profile.true_values} | {value.casefold(): False for value in profile.false_values}
    coded = texts.dictionary_encode()
    known = pa.array([meaning.get(value.strip().casefold()) for value in coded.dictionary.to_pylist()], pa.bool_())
    values = known.take(coded.indices)
    bad = np.asarray(pc.and_(values.is_null(), texts.is_valid()))
    return Typed(values, bad if bad.any() else None, "BOOLEAN_UNREADABLE")


def _checked(texts: pa.StringArray, cast: Callable[[pa.StringArray], pa.Array], kind: pa.DataType) -> Typed:
    """Cast the whole column at once, which nearly always goes well; else find the rows that do not."""
    try:
        return Typed(cast(texts))
    except pa.ArrowInvalid:
        pass
    trimmed = pc.utf8_trim_whitespace(texts)
    coded = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed).dictionary_encode()
    values = []
    for text in coded.dictionary.to_pylist():
        try:
            values.append(cast(pa.array([text], pa.string()))[0].as_py())
        except pa.ArrowInvalid:
            values.append(None)
    result = pa.array(values, kind).take(coded.indices)
    bad = np.asarray(pc.and_(result.is_null(), coded.indices.is_valid()))
    return Typed(result, bad, "NUMBER_UNREADABLE")


def _decimals(texts: pa.StringArray, decimal: str, kind: pa.DataType) -> pa.Array:
    """Amounts with at most two decimals; thousands may be set apart if they are so throughout. ArrowInvalid for anything else."""
    if not _all(texts, NUMBER[decimal]):
        if not _all(texts, f"{NUMBER[decimal]}|{THOUSANDS[decimal]}"):
            raise pa.ArrowInvalid("not a number")
        texts = pc.replace_substring_regex(texts, r"[. ]" if decimal == "," else r"[, ]", "")
    if decimal == ",":
        texts = pc.replace_substring(texts, ",", ".")
    texts = pc.replace_substring_regex(texts, r"(\.[0-9]{2})0+$", r"\1")
    texts = pc.replace_substring_regex(texts, r"\.$", "")
    return texts.cast(kind)


def _all(texts: pa.StringArray, pattern: str) -> bool:
    return pc.all(pc.match_substring_regex(texts, pattern)).as_py() is not False
