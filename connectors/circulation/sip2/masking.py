"""Lines of SIP2 as they may be kept or shown: without secrets, and, for a log, without anything that says who somebody is."""

from __future__ import annotations

import re

from connectors.circulation.sip2.codec import Unreadable, parse
from connectors.circulation.sip2.table import FIELDS
from include.engine.privacy.mask import mask, shape

UNSAID = "****"
"""What stands for a secret that was not empty."""
_SECRET = re.compile(r"(?<=\|)({})[^|]+".format("|".join(code for code, field in FIELDS.items() if field.kind == "secret")))


def unsaid(text: str) -> str:
    """A line without its passwords and PINs, else as it was. Of a line that is no message nothing but its length is kept: nobody knows what
    stands in it."""
    try:
        found = parse(text)
    except Unreadable:
        return f"({len(text)} characters that are no message)"
    text = _SECRET.sub(rf"\1{UNSAID}", text)
    for code, field in FIELDS.items():  # a secret straight after the fixed fields has no delimiter before it
        for value in found.every(code) if field.kind == "secret" else ():
            if value:
                text = text.replace(code + value, code + UNSAID)
    return text


def masked(text: str) -> str:
    """A line for a log: secrets unsaid; personal fields, and those that the table does not know, as shapes; identity numbers dotted out."""
    try:
        found = parse(text)
    except Unreadable:
        return f"({len(text)} characters that are no message)"
    fields = (f"{code}{_masked(code, value)}|" for code in found.fields for value in found.every(code))
    return found.code + "".join(found.fixed.values()) + "".join(fields)


def _masked(code: str, value: str) -> str:
    kind = FIELDS[code].kind if code in FIELDS else "personal"
    if kind == "secret":
        return UNSAID if value else ""
    return shape(value) if kind == "personal" else mask(value)
