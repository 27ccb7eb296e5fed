"""The key store of an installation: data keys in the ledger, each wrapped under the master key.

Whoever has the ledger alone has no key, and whoever has the master key alone has none either. Destroying a data key overwrites its wrapped
bytes in the ledger and takes them out of the ledger's files: what it sealed is then as good as random, wherever copies of it lie.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from include.engine.crypto.keys import SECRET, DataKey, destroyed, new_key_id, unknown
from include.engine.errors import Tampered
from include.engine.ledger import keys as rows
from include.engine.ledger.database import Ledger

_NONCE = 12


class LedgerKeyStore:
    """`master`: 32 bytes, the same for every process of the installation. Safe for threads and processes at once."""

    def __init__(self, ledger: Ledger, master: bytes) -> None:
        if len(master) != SECRET:
            raise ValueError(f"a master key is {SECRET} bytes, not {len(master)}")
        self._ledger = ledger
        self._wrap = AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=b"bindery data keys").derive(master))

    def create(self, purpose: str, subject: str) -> DataKey:
        """See KeyStore; durable in the ledger before it is returned."""
        key, wrapped = self._new(purpose, subject)
        rows.add(self._ledger, key.key_id, purpose, subject, wrapped)
        return key

    def ensure(self, purpose: str, subject: str) -> DataKey:
        """See KeyStore."""
        alive = self.find(purpose, subject)
        if alive:
            return self.get(alive[0])
        with self._ledger.begin() as tx:
            self._ledger.lock(tx, f"key {purpose} {subject}")  # so that of two callers the second finds the first one's key
            found = rows.find(self._ledger, purpose=purpose, subject=subject, tx=tx)
            if found:
                return self._open(found[0])
            key, wrapped = self._new(purpose, subject)
            rows.add(self._ledger, key.key_id, purpose, subject, wrapped, tx=tx)
            return key

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
        rows.scrub(self._ledger)

    def find(self, purpose: str, subject: str) -> list[str]:
        """See KeyStore."""
        return [row.key_id for row in rows.find(self._ledger, purpose=purpose, subject=subject)]

    def _new(self, purpose: str, subject: str) -> tuple[DataKey, bytes]:
        key = DataKey(new_key_id(purpose), secrets.token_bytes(SECRET))
        nonce = os.urandom(_NONCE)
        return key, nonce + self._wrap.encrypt(nonce, key.secret, _named(key.key_id, purpose, subject))

    def _open(self, row: rows.KeyRow) -> DataKey:
        if row.wrapped is None:
            raise destroyed(row.key_id, row.why or "no reason was given")
        nonce, sealed = row.wrapped[:_NONCE], row.wrapped[_NONCE:]
        try:
            return DataKey(row.key_id, self._wrap.decrypt(nonce, sealed, _named(row.key_id, row.purpose, row.subject)))
        except InvalidTag:
            raise Tampered(
                f"the key {row.key_id} does not open under this installation's master key",
                do="Check that the master key belongs to this ledger; a key row that was altered cannot be mended.",
            ) from None


def _named(key_id: str, purpose: str, subject: str) -> bytes:
    """What a wrapped key is bound to, so that a row cannot be passed off as another's."""
    return "\0".join((key_id, purpose, subject)).encode()
