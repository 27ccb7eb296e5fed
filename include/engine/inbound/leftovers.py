"""What tries leave behind that died or were overtaken: sealed files that nothing names. They go when the delivery ends."""

from __future__ import annotations

import shutil
from pathlib import Path

from include.engine.delivery import Delivery, State, Token
from include.engine.engine import Engine
from include.engine.ledger import deliveries, quarantined
from include.engine.quarantine.store import FOLDER
from include.engine.spool import staging
from include.engine.storage.uri import parse


def sweep(engine: Engine, delivery: Delivery) -> None:
    """Staged bytes, all of them; half-landed copies; set-aside records that the ledger does not name.

    A fetch that failed on its way keeps its pages: cleared, it goes on after them. They go when retention destroys the delivery's key.
    """
    shutil.rmtree(staging(engine.home, delivery.partner, delivery.id), ignore_errors=True)
    folder = engine.home / "landing" / delivery.partner / delivery.id
    if "landed" in delivery.facts:
        _clear(folder, {parse(delivery.facts["landed"]["uri"]).local(engine.home)})
    else:
        _clear(folder, set(folder.glob("part-*.sealed")) if delivery.state == State.FAILED else set())
    named = {parse(uri).local(engine.home) for uri in quarantined.blobs(engine.ledger, delivery.id)}
    _clear(engine.home / FOLDER / delivery.partner / delivery.id, named)


def sweep_try(engine: Engine, token: Token) -> None:
    """What one try wrote that was overtaken: the delivery may have ended meanwhile, and nobody comes to sweep again."""
    delivery = deliveries.get(engine.ledger, token.delivery_id)
    shutil.rmtree(staging(engine.home, delivery.partner, delivery.id) / f"{token.value:06d}", ignore_errors=True)
    for path in (engine.home / FOLDER / delivery.partner / delivery.id).glob(f"{token.value:06d}-*.sealed"):
        path.unlink(missing_ok=True)


def _clear(folder: Path, keep: set[Path]) -> None:
    if folder.is_dir():
        for path in folder.iterdir():
            if path not in keep:
                path.unlink(missing_ok=True)
