"""An English sentence of the reason table, said in another language with the same values.

What sets a record aside writes the English sentence; its values are read back out of it by the table's own template, so that one sentence a
record is kept and every reader gets it in their words.
"""

from __future__ import annotations

import re
from functools import cache

from include.engine.reasons import reason, words

# What may follow a sentence: further reasons (the gate's) or further columns (a reader's) of the same record.
_MORE = re.compile(r"(?:; also (?P<codes>[A-Z_, ]+)| \(also unreadable: (?P<columns>[^()]*)\))$")
_ALSO = {
    "en": ("; also {}", " (also unreadable: {})"),
    "da": ("; også {}", " (også ulæselig: {})"),
    "sv": ("; även {}", " (även oläslig: {})"),
    "nl": ("; ook {}", " (ook onleesbaar: {})"),
}
_HOLE = re.compile(r"\{[a-z_]+\}")


def translate(code: str, sentence: str, language: str) -> str:
    """`sentence`, which `words(code, "en", ...)` made, in `language`. One that the template does not fit is told without its values.

    Readers add which detail of a record they stumbled over (`no end of the directory`): that helps who mends the reader, and stays in the
    quarantine; a librarian is told the reason.
    """
    more = _MORE.search(sentence)
    found = _pattern(code).fullmatch(sentence[: more.start()] if more else sentence)
    told = bare(code, language) if found is None else words(code, language, **found.groupdict())
    if more is None:
        return told
    codes, columns = _ALSO[language]
    return told + (codes.format(more["codes"]) if more["codes"] else columns.format(more["columns"]))


def bare(code: str, language: str, column: str | None = None) -> str:
    """The words for `code` without any value: without a bracket that holds one, and of two halves at a colon the one that needs none. Where
    the `column` is known it is named."""
    text = re.sub(r"\s*\([^()]*\{[^()]*\)", "", reason(code).text[language])
    if column and set(_HOLE.findall(text)) == {"{column}"}:
        text = text.replace("{column}", column)
    if not _HOLE.search(text):
        return text
    halves = [half for half in text.split(": ") if not _HOLE.search(half)]
    return halves[-1] if halves else re.sub(r"\s+", " ", _HOLE.sub("…", text))


@cache
def _pattern(code: str) -> re.Pattern[str]:
    seen: set[str] = set()
    pattern = ""
    for number, piece in enumerate(re.split(r"\{([a-z_]+)\}", reason(code).text["en"])):
        if number % 2 == 0:
            pattern += re.escape(piece)
        elif piece in seen:
            pattern += f"(?P={piece})"
        else:
            seen.add(piece)
            pattern += f"(?P<{piece}>.*?)"
    return re.compile(pattern, re.DOTALL)
