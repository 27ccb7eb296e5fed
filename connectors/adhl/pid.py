"""The name that ADHL knows a title by.

`870970-basis:<faust>` for a title of a Danish public library (agency 7xxxxx), `<agency>-katalog:<lokalid>` for any other library's own.
Source: DBC's service pages for OpenADHL, 2015. A lokalid has neither hyphens nor blanks.
"""

from __future__ import annotations

import re

NATIONAL = "870970-basis"
LONGEST = 100
"""Characters of a pid. A longer control number is no title's: it is left out of the relations, and counted."""
_PUBLIC = re.compile(r"7\d{5}")
_SHAPE = re.compile(r"[^\s:<>&]+-(?:basis|katalog):[^\s<>&]+")


def catalogue(agency: str | None, partner: str) -> str:
    """What stands before the colon in the pids of a library; one that names no agency goes by its partner id."""
    plain = re.sub(r"[\s:<>&]", "", (agency or "").removeprefix("DK-"))
    return NATIONAL if _PUBLIC.fullmatch(plain) else f"{plain or partner}-katalog"


def is_pid(text: str) -> bool:
    """Whether `text` has the form of a pid."""
    return len(text) <= LONGEST and _SHAPE.fullmatch(text) is not None
