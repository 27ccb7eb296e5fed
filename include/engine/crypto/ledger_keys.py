"""The key store of an installation: data keys in the ledger, each wrapped under the master key.

Whoever has the ledger alone has no key, and whoever has the master key alone has none either. Destroying a data key overwrites its wrapped
bytes in the ledger and takes them out of the ledger's files: what it sealed is then as good as random, wherever copies of it lie.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag

from include.engine.crypto.keys import SECRET, DataKey, destroyed, new_key_id, unknown
from include.engine.crypto.master import Master
from include.engine.errors import SettingsError, Tampered
from include.engine.ledger import keys as rows
from include.engine.ledger import master_keys
from include.engine.ledger.database import Ledger


class LedgerKeyStore:
    """`master`: 32 bytes, the same for every process of the installation. Safe for threads and processes at once.

    `following` gives the master key to which the installation is being changed, if there is one; it is asked for only when `master` is not
    enough. Which of the two wraps new keys stands in the ledger, so that processes that know both agree (rewrap.py).
    """

    def __init__(self, ledger: Ledger, master: bytes, following: Callable[[], bytes | None] = lambda: None) -> None:
        self._ledger, self._master, self._following = ledger, Master(master), following
        self._blocks = 0

    def create(self, purpose: str, subject: str) -> DataKey:
        """See KeyStore; durable in the ledger before it is returned."""
        with self._ledger.begin() as tx:
            return self._new(purpose, subject, tx)

    def ensure(self, purpose: str, subject: str) -> DataKey:
        """See KeyStore."""
        alive = self.find(purpose, subject)
        if alive:
            return self.get(alive[0])
        with self._ledger.begin() as tx:
            self._ledger.lock(tx, f"key {purpose} {subject}")  # so that of two callers the second finds the first one's key
            found = rows.find(self._ledger, purpose=purpose, subject=subject, tx=tx)
            return self._open(found[0]) if found else self._new(purpose, subject, tx)

    def get(self, key_id: str) -> DataKey:
        """See KeyStore; Tampered also when the wrapped key does not open: another master key, or an altered row."""
        row = rows.get(self._ledger, key_id)
        if row is None:
            raise unknown(key_id)
        return self._open(row)

    def destroy(self, key_id: str, *, why: str) -> None:
        """See KeyStore."""
        self.destroy_all([key_id], why=why)

    def destroy_all(self, key_ids: Iterable[str], *, why: str) -> None:
        """See KeyStore; the ledger's own files are rid of the wrapped keys too."""
        with self._ledger.begin() as tx:
            for key_id in key_ids:
                if not rows.destroy(self._ledger, key_id, why, tx=tx) and rows.get(self._ledger, key_id, tx=tx) is None:
                    raise unknown(key_id)
        if not self._blocks:
            rows.scrub(self._ledger)

    @contextmanager
    def together(self) -> Iterator[None]:
        """See KeyStore. PostgreSQL writes the whole table of keys anew to be rid of one: for a thousand keys that is done once."""
        self._blocks += 1
        try:
            yield
        finally:
            self._blocks -= 1
            if not self._blocks:
                rows.scrub(self._ledger)

    def find(self, purpose: str, subject: str) -> list[str]:
        """See KeyStore."""
        return [row.key_id for row in rows.find(self._ledger, purpose=purpose, subject=subject)]

    def _new(self, purpose: str, subject: str, tx: sa.Connection) -> DataKey:
        key = DataKey(new_key_id(purpose), secrets.token_bytes(SECRET))
        master_keys.lock(self._ledger, tx)  # so that a change of the master key that begins now finds this key wrapped, or wraps it itself
        rows.add(self._ledger, key.key_id, purpose, subject, self._wrapping(tx).wrap(key, purpose, subject), tx=tx)
        return key

    def _wrapping(self, tx: sa.Connection) -> Master:
        """The master key that wraps what is made now."""
        counts = master_keys.current(self._ledger, tx=tx)
        for known in self._known():
            if counts is None or counts.fingerprint == known.fingerprint:
                return known
        raise SettingsError(
            "the master key was changed, and this process knows only another one.",
            where="connection bindery_master",
            do=f"Give it the one with the fingerprint {counts.fingerprint if counts else ''} (`python -m include.engine.crypto status`).",
            code="MASTER_KEY_CHANGED",
        )

    def _known(self) -> Iterator[Master]:
        yield self._master
        if (following := self._following()) is not None:
            yield Master(following)

    def _open(self, row: rows.KeyRow) -> DataKey:
        if row.wrapped is None:
            raise destroyed(row.key_id, row.why or "no reason was given")
        for known in self._known():
            try:
                return known.unwrap(row.wrapped, row.key_id, row.purpose, row.subject)
            except InvalidTag:
                continue
        raise Tampered(
            f"the key {row.key_id} does not open under this installation's master key",
            do="Check that the master key belongs to this ledger, and whether it was changed (`python -m include.engine.crypto status`); "
            "a key row that was altered cannot be mended.",
        )
