"""An English sentence of the reason table, said in another language with the same values.

What sets a record aside writes the English sentence; its values are read back out of it by the table's own template, so that one sentence a
record is kept and every reader gets it in their words.
"""

from __future__ import annotations

import re
from functools import cache

from include.engine.reasons import reason, words


def translate(code: str, sentence: str, language: str) -> str:
    """`sentence`, which `words(code, "en", ...)` made, in `language`. One that the template does not fit keeps its English after the general words."""
    if language == "en":
        return sentence
    found = _pattern(code).match(sentence)
    if found is None:
        return f"{bare(code, language)} ({sentence})"
    return words(code, language, **found.groupdict()) + sentence[found.end() :]


def bare(code: str, language: str) -> str:
    """The words for `code` without any value: what stands before the first colon, or the whole when it has no placeholder."""
    text = reason(code).text[language]
    return re.sub(r"\s*\{[a-z_]+\}\s*", " … ", text).strip()


@cache
def _pattern(code: str) -> re.Pattern[str]:
    pieces = re.split(r"\{([a-z_]+)\}", reason(code).text["en"])
    seen: set[str] = set()
    pattern = ""
    for number, piece in enumerate(pieces):
        if number % 2 == 0:
            pattern += re.escape(piece)
        elif piece in seen:
            pattern += f"(?P={piece})"
        else:
            seen.add(piece)
            pattern += f"(?P<{piece}>.*?)"
    return re.compile(pattern + ("$" if pieces[-1] == "" and len(pieces) > 1 else ""), re.DOTALL)
