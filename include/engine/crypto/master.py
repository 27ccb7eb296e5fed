"""A master key: what it wraps, and the fingerprint by which it is told from another."""

from __future__ import annotations

import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from include.engine.crypto.keys import SECRET, DataKey

_NONCE = 12


class Master:
    """32 bytes that wrap data keys (AES-256-GCM, under a key derived from them); nothing else is made of them."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SECRET:
            raise ValueError(f"a master key is {SECRET} bytes, not {len(secret)}")
        self._wrap = AESGCM(_derived(secret, b"bindery data keys", 32))
        self.fingerprint = _derived(secret, b"bindery master key fingerprint", 8).hex()
        """16 hex digits that say nothing of the key: they may be written down and shown."""

    def __repr__(self) -> str:
        return f"Master({self.fingerprint})"

    def wrap(self, key: DataKey, purpose: str, subject: str) -> bytes:
        """The key's secret as the ledger may hold it; bound to its id, purpose and subject."""
        nonce = os.urandom(_NONCE)
        return nonce + self._wrap.encrypt(nonce, key.secret, _named(key.key_id, purpose, subject))

    def unwrap(self, wrapped: bytes, key_id: str, purpose: str, subject: str) -> DataKey:
        """The key that was wrapped. cryptography's InvalidTag when it was under another master key, or altered, or another's."""
        return DataKey(key_id, self._wrap.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], _named(key_id, purpose, subject)))


def _derived(secret: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose).derive(secret)


def _named(key_id: str, purpose: str, subject: str) -> bytes:
    """What a wrapped key is bound to, so that a row cannot be passed off as another's."""
    return "\0".join((key_id, purpose, subject)).encode()
