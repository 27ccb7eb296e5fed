"""Tells a library system what waits for it, until nothing does; ended from outside or at a failpoint.

python -m ... SYSTEM FOLDER SECRET PORT
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from connectors.circulation.embedded.rules import Rules
from connectors.circulation.folio import FolioSettings
from connectors.circulation.folio import opened as open_folio
from connectors.circulation.forwarding import Policy, opened
from connectors.circulation.forwarding.copy import Copy
from connectors.circulation.koha import KohaSettings
from connectors.circulation.koha import opened as open_koha
from connectors.circulation.remote.system import System
from include.engine.crypto.keys import DataKey, MemoryKeyStore
from include.sandbox.servers.folio.shapes import service_point
from tests.connectors.circulation.remote.library import OneLogin


class OneKey(MemoryKeyStore):
    """A key store with one key, which several processes know."""

    def __init__(self, secret: str) -> None:
        super().__init__()
        self.key = DataKey("journal-test", bytes.fromhex(secret))

    def get(self, key_id: str) -> DataKey:
        return self.key

    def ensure(self, purpose: str, subject: str) -> DataKey:
        return self.key

    def create(self, purpose: str, subject: str) -> DataKey:
        return self.key


def remote_of(system: str, port: int) -> System:
    base = {"url": f"http://127.0.0.1:{port}", "connection": "it", "call_seconds": 5}
    if system == "koha":
        return open_koha(KohaSettings.model_validate(base | {"checkin": {"by": "rest"}}), OneLogin())
    points = {name: service_point(name) for name in ("main", "north")}
    return open_folio(FolioSettings.model_validate(base | {"tenant": "diku", "branches": points}), OneLogin())


async def tell(system: str, folder: Path, secret: str, port: int) -> None:
    forwarding = opened(folder, OneKey(secret), remote_of(system, port), Copy(Rules()), Policy(settle_seconds=0))
    while forwarding.state.waiting:
        await forwarding.turn()
    await forwarding.close()


if __name__ == "__main__":
    asyncio.run(tell(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
