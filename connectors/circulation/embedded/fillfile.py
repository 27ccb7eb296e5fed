"""The file that a store is filled from, as it lies in the sidecar's folder: a sealed Arrow stream, and the answer beside it once it is taken.

fills/<delivery>.fill           sealed; its schema's metadata (`fill`, JSON) says of which partner, journal and moments it is
fills/<delivery>.fill.json      {"code": "STORE_FILLED", "words": "...", "taken": true}
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from include.engine.crypto.keys import KeyStore
from include.engine.crypto.seal import open_sealed

PURPOSE = "circulation-fill"
SUFFIX = ".fill"


@dataclass(frozen=True)
class Fill:
    """`until`: the journal's entry up to which kiosks' loans are in the rows, of the journal of that id. `told`: since when (seconds since
    1970) the library system may not know of a patron, item, hold or fee; None for what it never told of."""

    partner: str
    journal: str
    until: int
    told: dict[str, float | None]
    rows: Iterator[dict[str, Any]] = field(repr=False)


def fills(folder: Path) -> Path:
    """Where they lie."""
    return folder / "fills"


def context_of(path: Path) -> str:
    """What a fill is sealed for: this file and no other."""
    return f"fill {path.name}"


@contextmanager
def opened_fill(path: Path, keys: KeyStore) -> Iterator[Fill]:
    """The fill; its rows may be read once. Tampered when it is not what was sealed."""
    with (
        path.open("rb") as raw,
        open_sealed(cast(BinaryIO, raw), keys, context=context_of(path), where=path.name) as plain,
        pa.ipc.open_stream(plain) as stream,
    ):
        about = json.loads((stream.schema.metadata or {})[b"fill"])
        yield Fill(**about, rows=(row for batch in stream for row in batch.to_pylist()))


def answer(path: Path, code: str, words: str, *, taken: bool) -> None:
    """Say what became of it, and take it away."""
    part = path.with_name(f".{path.name}.json")
    part.write_text(json.dumps({"code": code, "words": words, "taken": taken}))
    part.replace(path.with_name(f"{path.name}.json"))
    path.unlink(missing_ok=True)


def answer_of(path: Path) -> dict[str, Any] | None:
    """What was said of it, None so far."""
    try:
        found: dict[str, Any] = json.loads(path.with_name(f"{path.name}.json").read_text())
    except FileNotFoundError:
        return None
    return found
