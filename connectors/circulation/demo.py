"""A small made-up library for `serve --demo`, in a folder that goes at the end."""

from __future__ import annotations

import csv
import random
import tempfile
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path

import yaml

from connectors.circulation.doors import SERVICES
from connectors.circulation.embedded.backend import opened
from connectors.circulation.embedded.rules import Rules
from connectors.circulation.loading import load
from include.engine.crypto.keys import KeyStore, MemoryKeyStore

PATRONS, ITEMS = 100, 10_000
_SETTINGS = {
    "terminals": {
        "institution": "demo", "name": "A made-up library", "timezone": "Europe/Copenhagen",
        "terminals": {"selfcheck1": {"password": "secret", "branch": "main", "connections": 5000}},
    },
    "rules": {"defaults": {"loan_days": 28, "loans": 100_000}},
    "doors": {
        "agency": "DK-710100", "branch": "main",
        "callers": {"anybody_here": {"addresses": ["127.0.0.0/8"], "services": list(SERVICES), "tells": ["name", "loans", "holds"]}},
        "netmusik": {"addresses": ["127.0.0.0/8"]},
    },
}  # fmt: skip


def made() -> tuple[Path, KeyStore, Callable[[], None]]:
    """Its folder, the keys of its journal, and what takes it all away again."""
    place = tempfile.TemporaryDirectory(prefix="circulation_")
    where, keys, chance = Path(place.name), MemoryKeyStore(), random.Random(1)  # noqa: S311 - a made-up library
    titles = [
        " ".join(two) for two in product(("The blue", "A small", "Their last", "The long"), ("harbour", "winter", "garden", "letter"))
    ]
    settings, patrons, items = (where / name for name in ("settings.yaml", "patrons.csv", "items.csv"))
    settings.write_text(yaml.safe_dump(_SETTINGS))
    _write(
        patrons, ("patron", "name", "cards", "category"), ((f"p{n}", f"Reader {n}", 1_000_000 + n, "adult") for n in range(1, PATRONS + 1))
    )
    _write(
        items,
        ("item", "title_id", "title", "material", "owner", "location"),
        ((3_000_000 + n, f"t{n % 997}", chance.choice(titles), "book", "main", "main") for n in range(1, ITEMS + 1)),
    )
    backend = opened(where, keys, Rules())
    load((settings, patrons, items), where, backend.store)
    backend.close()
    return where, keys, place.cleanup


def _write(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
