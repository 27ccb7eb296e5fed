"""MARC files into staged rows (being written)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def read_marc(*args: Any, **settings: Any) -> Iterator[Any]:
    yield from ()
