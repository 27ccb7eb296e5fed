"""PINs are the sidecar's own: a fill out of the lake, which has none, leaves each as it was last given."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connectors.circulation.embedded.backend import Embedded
from connectors.circulation.embedded.fillfile import Fill
from connectors.circulation.embedded.filling import build
from connectors.circulation.journal import identity
from include.engine.crypto.keys import MemoryKeyStore

_NOTHING = ("patron_id", "category", "home_library", "valid_until", "birth_date", "municipality", "block", "address", "email", "phone",
            "title_id", "status", "material", "owner", "location", "call_number", "hold")  # fmt: skip


def _filled(library: Embedded, home: Path, keys: MemoryKeyStore) -> None:
    def row(kind: str, key: str, **values: Any) -> dict[str, Any]:
        return dict.fromkeys(_NOTHING) | {"kind": kind, "key": key, "name": "As the lake has it", "title": ""} | values

    rows = [row("patron", f"p{n}") for n in (1, 2, 3)] + [row("card", f"c{n}", patron_id=f"p{n}") for n in (1, 2, 3)]
    rows += [row("item", item) for item in ("b1", "b2", "d1")]
    fill = Fill("house", identity(home / "journal"), 0, {}, iter(rows))
    library.tap = []
    made, _ = build(fill, home, keys, library.store)
    library.change_over(made, fill)
    library.tap = None


@pytest.mark.parametrize("loaded", [True, False])
def test_a_pin_that_was_loaded_after_others_were_taken_over_stays(
    library: Embedded, home: Path, keys: MemoryKeyStore, loaded: bool
) -> None:
    assert asyncio.run(library.keep_pin("c1", "scrypt$old"))
    if loaded:  # as `load` puts it, while the sidecar stands
        library.store.fill("patron", [{"patron": "p1", "pin": "scrypt$new"}])
    library.commit()
    assert asyncio.run(library.keep_pin("c2", "scrypt$two"))
    _filled(library, home, keys)
    kept = {row["patron"]: (row["name"], row["pin"]) for row in library.store.rows("patron")}
    name = "As the lake has it"
    assert kept == {"p1": (name, "scrypt$new" if loaded else "scrypt$old"), "p2": (name, "scrypt$two"), "p3": (name, None)}
