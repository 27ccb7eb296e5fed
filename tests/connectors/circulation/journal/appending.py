"""Appends to a journal from several tasks, and prints each number once it is durable; ended from outside: `python -m ... FOLDER SECRET`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from connectors.circulation.journal import Journal
from include.engine.crypto.keys import DataKey, MemoryKeyStore


class OneKey(MemoryKeyStore):
    """A key store with one key that two processes know."""

    def __init__(self, secret: str) -> None:
        super().__init__()
        self.key = DataKey("journal-test", bytes.fromhex(secret))

    def get(self, key_id: str) -> DataKey:
        assert key_id == self.key.key_id
        return self.key


async def append(folder: Path, secret: str) -> None:
    keys = OneKey(secret)
    journal = Journal(folder, keys, keys.key, rotate=20_000)

    async def task(name: int) -> None:
        turn = 0
        while True:
            number = await journal.append({"task": name, "turn": turn})
            print(f"{number} {name} {turn}", flush=True)
            turn += 1

    await asyncio.gather(*(task(name) for name in range(5)))


if __name__ == "__main__":
    asyncio.run(append(Path(sys.argv[1]), sys.argv[2]))
