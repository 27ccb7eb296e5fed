"""Lines of SIP2 as they may be kept or shown: without secrets, and, for a log, without anything that says who somebody is."""

from __future__ import annotations

import re
from functools import cache

from connectors.circulation.sip2.codec import Parsed, Unreadable, delimiter_of, parse
from connectors.circulation.sip2.table import FIELDS
from include.engine.privacy.mask import mask, shape

UNSAID = "****"
"""What stands for a secret that was not empty."""
_SECRETS = tuple(code for code, field in FIELDS.items() if field.kind == "secret")


@cache
def _secret(delimiter: str) -> re.Pattern[str]:
    end = re.escape(delimiter)
    return re.compile(rf"(?<={end})({'|'.join(_SECRETS)})[^{end}]+")


def unsaid(text: str) -> str:
    """A line without its passwords and PINs, else as it was. Of a line that is no message nothing but its length is kept: nobody knows what
    stands in it."""
    delimiter = delimiter_of(text)
    found = _read(text, delimiter)
    if found is None:
        return _length(text)
    text = _secret(delimiter).sub(rf"\1{UNSAID}", text)
    for code in _SECRETS:  # a secret straight after the fixed fields has no delimiter before it
        for value in found.every(code):
            if value:
                text = text.replace(code + value, code + UNSAID)
    return text


def masked(text: str, delimiter: str = "|") -> str:
    """A line for a log: secrets unsaid; personal fields, and those that the table does not know, as shapes; identity numbers dotted out."""
    found = _read(text, delimiter)
    if found is None:
        return _length(text)
    fields = (f"{code}{_masked(code, value)}{delimiter}" for code in found.fields for value in found.every(code))
    return found.code + "".join(found.fixed.values()) + "".join(fields)


def _read(text: str, delimiter: str) -> Parsed | None:
    """The message in a line. None for what is none, and where a secret may stand in it and nobody knows where its fields end."""
    try:
        found = parse(text, delimiter)
    except Unreadable:
        return None
    return None if delimiter not in text and any(code in text for code in _SECRETS) else found


def _length(text: str) -> str:
    return f"({len(text)} characters that are no message)"


def _masked(code: str, value: str) -> str:
    kind = FIELDS[code].kind if code in FIELDS else "personal"
    if kind == "secret":
        return UNSAID if value else ""
    return shape(value) if kind == "personal" else mask(value)
