"""Data keys: made for one purpose and one subject, looked up by id, and destroyed to erase for good what they sealed."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from include.engine.errors import KeyDestroyed, Tampered

SECRET = 32  # bytes: AES-256, HMAC-SHA-256
LONGEST_ID = 200


@dataclass(frozen=True)
class DataKey:
    """A secret of 32 bytes and the id it is known by. The id may be written anywhere; the secret is never shown."""

    key_id: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != SECRET:
            raise ValueError(f"key {self.key_id}: a secret is {SECRET} bytes, not {len(self.secret)}")
        if not 0 < len(self.key_id.encode()) <= LONGEST_ID:
            raise ValueError(f"a key id is 1 to {LONGEST_ID} bytes")


class KeyStore(Protocol):
    """Where data keys live. A key is alive until it is destroyed; a destroyed one is remembered, but its secret is gone."""

    def create(self, purpose: str, subject: str) -> DataKey:
        """A new key for `subject` (a delivery, or a partner and epoch), beside any that are alive already."""
        ...

    def ensure(self, purpose: str, subject: str) -> DataKey:
        """The oldest key alive of `subject`, made if there is none: two callers at once get the same one, and so does a second try."""
        ...

    def get(self, key_id: str) -> DataKey:
        """The key. KeyDestroyed when it was destroyed; Tampered when no such key was ever made here."""
        ...

    def destroy(self, key_id: str, *, why: str) -> None:
        """Forget the secret for good, and remember when and why. Destroying a destroyed key changes nothing."""
        ...

    def destroy_all(self, key_ids: Iterable[str], *, why: str) -> None:
        """`destroy` for many: all of them or, by an error, none."""
        ...

    def together(self) -> AbstractContextManager[None]:
        """Keys that are destroyed in the block are gone at once, and what is left of them in files is seen to once, at its end: for many."""
        ...

    def find(self, purpose: str, subject: str) -> list[str]:
        """Ids of the keys alive, oldest first."""
        ...


def new_key_id(purpose: str) -> str:
    """An id that says what the key is for and nothing of whom: `delivery-5f0c...`."""
    return f"{purpose}-{secrets.token_hex(12)}"


def destroyed(key_id: str, why: str) -> KeyDestroyed:
    """The error of a key that is gone."""
    return KeyDestroyed(
        f"the key {key_id} was destroyed ({why}): what it sealed cannot be read again", do="Ask for the records to be delivered again."
    )


def unknown(key_id: str) -> Tampered:
    """The error of a key that was never made here."""
    return Tampered(
        f"there is no key {key_id} in this key store", do="Check that the sealed file and the ledger belong to the same installation."
    )


@dataclass
class _Held:
    purpose: str
    subject: str
    secret: bytes | None
    why: str = ""


class MemoryKeyStore:
    """A key store that lives as long as its process: for tests and for work that leaves nothing behind."""

    def __init__(self) -> None:
        self._keys: dict[str, _Held] = {}
        self._lock = Lock()

    def create(self, purpose: str, subject: str) -> DataKey:
        key = DataKey(new_key_id(purpose), secrets.token_bytes(SECRET))
        self._keys[key.key_id] = _Held(purpose, subject, key.secret)
        return key

    def ensure(self, purpose: str, subject: str) -> DataKey:
        with self._lock:
            alive = self.find(purpose, subject)
            return self.get(alive[0]) if alive else self.create(purpose, subject)

    def get(self, key_id: str) -> DataKey:
        held = self._keys.get(key_id)
        if held is None:
            raise unknown(key_id)
        if held.secret is None:
            raise destroyed(key_id, held.why)
        return DataKey(key_id, held.secret)

    def destroy(self, key_id: str, *, why: str) -> None:
        self.destroy_all([key_id], why=why)

    def destroy_all(self, key_ids: Iterable[str], *, why: str) -> None:
        wanted = list(key_ids)
        for missing in (key_id for key_id in wanted if key_id not in self._keys):
            raise unknown(missing)
        for held in map(self._keys.__getitem__, wanted):
            if held.secret is not None:
                held.secret, held.why = None, why

    def together(self) -> AbstractContextManager[None]:
        return nullcontext()

    def find(self, purpose: str, subject: str) -> list[str]:
        return [
            key_id for key_id, held in self._keys.items() if held.secret is not None and (held.purpose, held.subject) == (purpose, subject)
        ]
