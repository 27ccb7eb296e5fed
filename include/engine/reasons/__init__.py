"""The one table of reason codes, in the words that each reader needs.

A code names why a delivery or a record was not taken in. Its words, in English, Danish, Swedish and Dutch, are what a librarian reads in a
receipt; `mend` says what to do about it. The table is the `*.yaml` files beside this one, a file an area.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from include.engine import yamls

LANGUAGES = ("en", "da", "sv", "nl")
_THOUSANDS = {"en": ",", "da": ".", "nl": ".", "sv": "\u202f"}
Kind = Literal["file", "record", "engine"]


@dataclass(frozen=True)
class Reason:
    """One code: `kind` says what it is about (a file, a record, or the engine itself); `text` and `mend` are words by language."""

    code: str
    kind: Kind
    text: dict[str, str]
    mend: dict[str, str]


@cache
def table() -> dict[str, Reason]:
    """Every reason code; two files naming the same code is an error."""
    found: dict[str, Reason] = {}
    for file in sorted(Path(__file__).parent.glob("*.yaml")):
        for code, entry in (yamls.load(file.read_text(encoding="utf-8")) or {}).items():
            if code in found:
                raise ValueError(f"{file.name}: reason code {code} is already in another file")
            text = {language: entry[language] for language in LANGUAGES}
            found[code] = Reason(code, entry["kind"], text, {language: entry["mend"][language] for language in LANGUAGES})
    return found


def reason(code: str) -> Reason:
    """The entry for `code`; KeyError for a code that is not in the table (a test holds all used codes against it)."""
    return table()[code]


def words(code: str, language: str, **values: Any) -> str:
    """The sentence for `code` in `language` (English when unknown), with its placeholders filled; one that is not given reads as "?".

    Numbers get the language's thousands separator.
    """
    text = reason(code).text
    filled = {name: number(value, language) if isinstance(value, int) else str(value) for name, value in values.items()}
    return text.get(language, text["en"]).format_map(defaultdict(lambda: "?", filled))


def number(value: int, language: str) -> str:
    """The number with the language's thousands separator: 1,203 in English, 1.203 in Danish and Dutch, 1 203 in Swedish."""
    return f"{value:,}".replace(",", _THOUSANDS.get(language, ","))


def advice(code: str, language: str) -> str:
    """What the library should do about `code`."""
    mend = reason(code).mend
    return mend.get(language, mend["en"])
