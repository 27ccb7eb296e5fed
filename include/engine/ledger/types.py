"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator


class UtcTime(TypeDecorator[datetime]):
    """An aware moment, in UTC. A naive one is refused: nobody could say later which zone was meant."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time in the ledger must be aware")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def json_column(name: str, **options: Any) -> sa.Column[Any]:
    """A JSON column whose None is SQL's NULL."""
    return sa.Column(name, sa.JSON(none_as_null=True), **options)


def storable(path: str) -> str:
    """`path` as the ledger can hold it: bytes of a file name that are no valid UTF-8 are written as escapes."""
    return path if path.isascii() else path.encode("utf-8", "backslashreplace").decode("utf-8")
