"""Words for how much in a partner's YAML: `500 MB`, `20 GB`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def parse_size(value: Any) -> int:
    """`500 MB` -> 500,000,000 bytes; ValueError says what is allowed."""
    match = re.fullmatch(r"\s*([1-9]\d*)\s*(KB|MB|GB|TB)\s*", str(value).upper())
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if not match:
        raise ValueError(f"{value!r} is no size: write a number and KB, MB, GB or TB, such as '500 MB' or '20 GB'")
    return int(match[1]) * _UNITS[match[2]]


def spell_size(size: int) -> str | int:
    """The shortest spelling that `parse_size` reads back."""
    for unit, bytes_in in reversed(_UNITS.items()):
        if size % bytes_in == 0:
            return f"{size // bytes_in} {unit}"
    return size


Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(spell_size),
    WithJsonSchema({"type": "string", "pattern": r"^\d+\s*(KB|MB|GB|TB)$", "examples": ["500 MB", "20 GB"]}),
]
