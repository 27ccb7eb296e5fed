"""Holdings statements for display, by ANSI/NISO Z39.71 (and ISO 10324, which has the same punctuation), from MARC 21 holdings fields.

    853 $8 1 $a v. $b no. $i (year) $j (month)      how the parts are called
    863 $8 1.1 $a 1-3 $b 1-12 $i 1990-1992 $j 01-12      what is there  ->  v.1:no.1(1990:Jan.)-v.3:no.12(1992:Dec.)
    866 $8 0 $a 1998-2004; 2007-                          or in words, which go before

853/863/866 are the work itself; 854/864/867 its supplements, 855/865/868 its indexes, each joined on with " + ". Source of the fields: MARC 21
Format for Holdings Data, 853-855, 863-865, 866-868.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from include.marc.batch import Batch, Ints

#: Captions, enumeration, words; for the work, its supplements, its indexes.
UNITS = (("853", "863", "866"), ("854", "864", "867"), ("855", "865", "868"))
TAGS = tuple(tag for unit in UNITS for tag in unit)
MONTHS = ("Jan.", "Feb.", "Mar.", "Apr.", "May", "June", "July", "Aug.", "Sept.", "Oct.", "Nov.", "Dec.")
SEASONS = {"21": "Spring", "22": "Summer", "23": "Autumn", "24": "Winter"}
#: 863 second indicator: the words of an 866 stand for it; or it was never published.
SAID_OTHERWISE = ("2", "3", "4")
LINK = re.compile(r"(\d+)(?:\.(\d+))?")
Subfields = list[tuple[str, str]]
Fields = list[tuple[str, str, Subfields]]


def statements(batch: Batch) -> tuple[Ints, pa.StringArray]:
    """Records (by index) that say what is held, and their statements."""
    wanted = np.zeros(batch.rows, np.bool_)
    for tag in TAGS:
        wanted |= batch.of_tag(tag)
    rows = np.flatnonzero(wanted)
    values, names = batch.value.take(pa.array(rows)).to_pylist(), batch.tags.names
    of: dict[int, Fields] = {}
    seen = (-1, -1)
    for row, value in zip(rows.tolist(), values, strict=True):
        rec, seq = int(batch.rec[row]), int(batch.seq[row])
        fields = of.setdefault(rec, [])
        if (rec, seq) != seen:
            fields.append((names[batch.tag[row]], chr(batch.ind2[row]) if batch.ind2[row] else " ", []))
            seen = (rec, seq)
        fields[-1][2].append((chr(batch.code[row]) if batch.code[row] else "", value))
    said = {rec: text for rec, fields in of.items() if (text := statement(fields))}
    return np.array(list(said), np.int64), pa.array(list(said.values()), pa.string())


def statement(fields: Fields) -> str:
    """The statement of one record's fields, each as (tag, second indicator, subfields); empty if they say nothing."""
    return " + ".join(text for unit in UNITS if (text := _unit(fields, *unit)))


def _unit(fields: Fields, captions: str, enumeration: str, words: str) -> str:
    in_words = [(subfields, text) for tag, _, subfields in fields if tag == words and (text := _first(subfields, "a").strip())]
    replaced = {_link(subfields)[0] for subfields, _ in in_words}
    patterns = {_link(subfields)[0]: subfields for tag, _, subfields in fields if tag == captions}
    pieces = [subfields for tag, second, subfields in fields if tag == enumeration and second not in SAID_OTHERWISE]
    if 0 in replaced:  # the words speak for all
        pieces = []
    kept = sorted((subfields for subfields in pieces if _link(subfields)[0] not in replaced), key=_link)
    counted = "".join(_joined([(one, _piece(one, patterns.get(_link(one)[0], []))) for one in kept]))
    return "; ".join([*(text + _note(subfields) for subfields, text in in_words), *([counted] if counted else [])])


def _joined(pieces: Sequence[tuple[Subfields, str]]) -> Iterator[str]:
    """A comma for a gap, a semicolon where nothing is missing between (863 $w n)."""
    pieces = [(subfields, text) for subfields, text in pieces if text]
    for index, (subfields, text) in enumerate(pieces):
        last = index == len(pieces) - 1
        yield text + ("" if last else ";" if _first(subfields, "w") == "n" else ",")


def _piece(subfields: Subfields, pattern: Subfields) -> str:
    values = {code: value for code, value in subfields if code in "abcdefghijklm"}
    if any("-" in value for value in values.values()):
        start = _level({code: value.partition("-")[0] for code, value in values.items()}, pattern)
        end = _level({code: value.rpartition("-")[2] for code, value in values.items()}, pattern)
        text = f"{start}-" if all(value.endswith("-") for value in values.values() if "-" in value) else f"{start}-{end}"
    else:
        text = _level(values, pattern)
    return text + _note(subfields)


def _level(values: dict[str, str], pattern: Subfields) -> str:
    """One end of a range, or all: v.1:no.1(1990:Jan.)."""
    called = dict(pattern)
    said = {code: _called(called.get(code, ""), value) for code, value in values.items() if value}
    main, other, when = (":".join(said[code] for code in codes if code in said) for codes in ("abcdef", "gh", "ijklm"))
    numbered = main + (f"={other}" if other else "")
    return f"{numbered}({when})" if numbered and when else numbered or when


def _called(caption: str, value: str) -> str:
    """A caption in brackets says what a value is, and is not shown."""
    if not caption.startswith("("):
        return caption + value
    if caption in ("(month)", "(season)"):
        return "/".join(_month(part) for part in value.split("/"))
    return value


def _month(value: str) -> str:
    return MONTHS[int(value) - 1] if value.isdigit() and 1 <= int(value) <= 12 else SEASONS.get(value, value)


def _note(subfields: Subfields) -> str:
    """A public note to this extent, in angle brackets."""
    return "".join(f"<{value}>" for code, value in subfields if code == "z")


def _link(subfields: Subfields) -> tuple[int, int]:
    found = LINK.match(_first(subfields, "8"))
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def _first(subfields: Subfields, code: str) -> str:
    return next((value for one, value in subfields if one == code), "")
