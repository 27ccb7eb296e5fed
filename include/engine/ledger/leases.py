"""Leases: a name that one holder has for a while, such as `lake:loan` for a publish, a compaction or a vacuum."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from include.engine.errors import Unreachable
from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import lease as table


class LeaseTaken(Unreachable):
    """Somebody else holds the lease, or it ran out and was taken over. A retry may help."""


@dataclass(frozen=True)
class Lease:
    """A lease that is held. `token` grows with each holder, so that a late one can be told from its successor."""

    ledger: Ledger
    name: str
    holder: str
    token: int
    seconds: float

    def renew(self) -> None:
        """Hold it for `seconds` from now. Raises LeaseTaken when it ran out and someone else took it."""
        with self.ledger.begin() as tx:
            until = self.ledger.now(tx) + timedelta(seconds=self.seconds)
            mine = (table.c.name == self.name, table.c.token == self.token)
            if tx.execute(sa.update(table).where(*mine).values(expires_at=until)).rowcount != 1:
                raise self._lost()

    def check(self) -> None:
        """Raise LeaseTaken when this lease ran out, whether or not someone else took it."""
        with self.ledger.read() as tx:
            row = tx.execute(sa.select(table).where(table.c.name == self.name)).one()
            if row.token != self.token or row.expires_at <= self.ledger.now(tx):
                raise self._lost()

    def _lost(self) -> LeaseTaken:
        return LeaseTaken(f"the lease {self.name} of {self.holder} ran out.", do="The work is tried again from its start.")


@contextmanager
def lease(ledger: Ledger, name: str, *, holder: str, seconds: float, wait: float = 0, again: bool = False) -> Iterator[Lease]:
    """Hold `name` for the length of the block, at most `seconds` unless renewed; try for up to `wait` seconds to get it.

    With `again`, one that is held under the same holder's name is taken over: an earlier try of the same work, which may be dead.
    Raises LeaseTaken, naming the holder, when it cannot be had. A holder that dies loses it when its seconds are over.
    """
    deadline, pause = time.monotonic() + wait, 0.05
    while isinstance(got := _try(ledger, name, holder, seconds, again), str):
        if time.monotonic() >= deadline:
            raise LeaseTaken(f"the lease {name} is held by {got}.", do="It is free again when that work is done.")
        time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        pause = min(pause * 2, 1.0)
    held = Lease(ledger, name, holder, got, seconds)
    try:
        yield held
    finally:
        with ledger.begin() as tx:
            mine = (table.c.name == name, table.c.token == got)
            tx.execute(sa.update(table).where(*mine).values(holder=None, expires_at=ledger.now(tx)))


def _try(ledger: Ledger, name: str, holder: str, seconds: float, again: bool) -> int | str:
    """The new token, or who holds the lease."""
    with ledger.begin() as tx:
        ledger.lock(tx, f"lease {name}")
        now = ledger.now(tx)
        row = tx.execute(sa.select(table).where(table.c.name == name)).one_or_none()
        if row is not None and row.holder is not None and row.expires_at > now and not (again and row.holder == holder):
            return str(row.holder)
        token = 1 if row is None else int(row.token) + 1
        values = {"holder": holder, "token": token, "taken_at": now, "expires_at": now + timedelta(seconds=seconds)}
        change = sa.insert(table).values(name=name) if row is None else sa.update(table).where(table.c.name == name)
        tx.execute(change.values(values))
        return token
