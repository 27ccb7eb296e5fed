"""Queries in CQL (FOLIO's dialect of the Contextual Query Language 1.1): values are quoted, so that a card is never read as a query."""

from __future__ import annotations

from datetime import datetime

_SPECIAL = str.maketrans({char: "\\" + char for char in '\\"*?^'})


def same(field: str, value: str) -> str:
    """The field is this value, whole."""
    return f'{field}=="{value.translate(_SPECIAL)}"'


def since(field: str, when: datetime) -> str:
    """The field is that moment or later."""
    return f'{field}>="{when.isoformat(timespec="seconds")}"'


def both(*conditions: str) -> str:
    """All of them."""
    return "(" + " and ".join(conditions) + ")"


OPEN_LOAN = 'status.name=="Open"'
OPEN_REQUEST = 'status=="Open*"'
