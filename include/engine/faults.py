"""A fault that nobody foresaw, told without its text: that may hold a person's data, and a log is read by many and kept for long."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from include.engine.errors import BinderyError

SHOWN = "BINDERY_FAULT_TEXTS"
"""Set to `shown`, faults are told as Python tells them: for finding one on a machine without anybody's data."""
_ROOT = Path(__file__).resolve().parents[2]


class Unforeseen(BinderyError):
    """A fault of ours, or of a library under us, by its kind and its places."""


@contextmanager
def without_texts() -> Iterator[None]:
    """Let errors of our own family pass without what caused them, and turn all others into `Unforeseen`."""
    try:
        yield
    except Exception as error:
        if shown():
            raise
        if isinstance(error, BinderyError):
            raise error from None
        raise Unforeseen(
            f"an unforeseen fault: {told(error)}",
            do=f"Its text is not shown, for it may hold a person's data; {SHOWN}=shown shows it. Please report the places.",
        ) from None


def told(error: BaseException) -> str:
    """Its kind, where it came from, and the same of what led to it: `KeyError (include/engine/gate/split.py:31 in split), after ...`.

    As Python tells it, with its text, where that is asked for.
    """
    if shown():
        return "".join(traceback.format_exception(error))
    said, seen = [], set[int]()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        said.append(f"{type(cause).__name__} ({' > '.join(_places(cause)[-8:])})")
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return ", after ".join(said)


def shown() -> bool:
    """Whether the texts of faults are asked for."""
    return os.environ.get(SHOWN) == "shown"


def _places(error: BaseException) -> list[str]:
    """Outermost first: `include/engine/gate/split.py:31 in split`; never a value."""
    return [f"{_short(one.filename)}:{one.lineno} in {one.name}" for one in traceback.extract_tb(error.__traceback__)]


def _short(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) and ".venv" not in path.parts else path.name
