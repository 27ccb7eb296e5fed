"""`make check-partners`: whether a partner's folder can be listed, read, written to and renamed in, said in a line each."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from include.engine.errors import BinderyError
from include.engine.storage.filesystem import Store


@dataclass(frozen=True)
class CheckLine:
    """One thing that was tried: `step` is list, read, write, rename or delete; `code` is a reason code when it failed."""

    step: str
    ok: bool
    detail: str
    code: str = ""


def check(store: Store, *, writes: bool = True) -> list[CheckLine]:
    """Try the folder with a small file of our own that is taken away again. Failures are lines, not errors."""
    lines: list[CheckLine] = []

    def attempt(step: str, work: Callable[[], str]) -> bool:
        try:
            lines.append(CheckLine(step, True, work()))
        except BinderyError as error:
            lines.append(CheckLine(step, False, str(error), error.code))
        return lines[-1].ok

    try:
        if not attempt("list", lambda: f"{len(store.list())} files"):
            return lines
        attempt("read", lambda: _read(store))
        if writes:
            name = f".bindery-check-{secrets.token_hex(4)}"
            if attempt("write", lambda: f"{store.put(name, b'Bindery was here to check, and removes this file.')} bytes"):
                renamed = attempt("rename", lambda: _said(lambda: store.rename(name, f"{name}-2")))
                attempt("delete", lambda: _said(lambda: store.delete(f"{name}-2" if renamed else name)))
    finally:
        store.close()
    return lines


def _said(work: Callable[[], None]) -> str:
    work()
    return "done"


def _read(store: Store) -> str:
    """The first byte of the first file that can be read."""
    found = next((seen for seen in store.list() if seen.refused is None), None)
    if found is None:
        return "nothing there to read yet"
    with store.open_read(found.path) as file:
        file.read(1)
    return f"{found.name} can be read"
