"""What is said of a value that cannot be read, without ever writing down who someone is."""

from __future__ import annotations

import re

from include.engine.reasons import words

#: A value as long as this, or longer, is cut.
LONGEST = 32
# Dates and times are shown. Nine to twelve digits in a row, or 6-4 and 8-4, may be BSN, CPR, rijksregisternummer or personnummer: never.
MOMENTS = (
    re.compile(r"(19|20|00)\d{6}(\d{6})?"),
    re.compile(r"\d{4}([-/.])\d{1,2}\1\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2})?)?"),
    re.compile(r"\d{1,2}([-/.])\d{1,2}\1\d{4}([ T]\d{1,2}:\d{2}(:\d{2})?)?"),
)
PLAIN = re.compile(r"[^\W\d_]{1,12}|[+-]?[\d.,]{1,7}|[\w.-]{1,7}")


def masked(value: str | None, *, public: bool) -> str:
    """The value itself if its column is public and it looks like no identity; otherwise its shape: 9 for a digit, x for a letter."""
    if value is None:
        return "empty"
    text = value[:LONGEST]
    if public and (PLAIN.fullmatch(text) or any(shape.fullmatch(text) for shape in MOMENTS)):
        return text
    return re.sub(r"[^\W\d_]", "x", re.sub(r"\d", "9", text))


def say(reason: str, *, column: str, value: str | None, public: bool, expected: str = "") -> str:
    """The sentence of `reason` in English, its value masked unless public."""
    return words(reason, "en", column=column, value=masked(value, public=public), expected=expected)
