"""A segment of the journal: a header, then frames; each frame is a group of entries that became durable together.

    header  magic "BINDJRNL", version u8, number of the first entry u64, key id length u8, salt 32 bytes, key id      integers big-endian
    frame   length u32, then AES-256-GCM over the entries (JSON lines) and its 16-byte tag

Each segment has a key of its own (HKDF-SHA-256 of the data key and the salt) and numbers its frames in the nonce, so a frame that was
moved, repeated or altered does not authenticate. A segment is written by one process and never opened for writing again; so only its
last frame can be torn by a crash, and what is torn was never answered.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from include.engine.crypto.keys import DataKey, KeyStore
from include.engine.errors import Tampered

MAGIC = b"BINDJRNL"
VERSION = 1
SUFFIX = ".journal"
_FIXED = struct.Struct(">8sBQB")
_SALT = 32
_LENGTH = struct.Struct(">I")


class Header(NamedTuple):
    """What stands at a segment's start; `raw` are its bytes, which every frame is bound to."""

    first: int
    key_id: str
    salt: bytes
    raw: bytes


def new_header(first: int, key: DataKey) -> Header:
    """The header of a segment whose first entry has the number `first`."""
    key_id, salt = key.key_id.encode(), os.urandom(_SALT)
    return Header(first, key.key_id, salt, _FIXED.pack(MAGIC, VERSION, first, len(key_id)) + salt + key_id)


def read_header(file: BinaryIO) -> Header | None:
    """The header, or None when a crash left less than one."""
    fixed = file.read(_FIXED.size)
    if len(fixed) < _FIXED.size:
        return None
    magic, version, first, length = _FIXED.unpack(fixed)
    if magic != MAGIC or version != VERSION:
        raise Tampered(
            f"{file.name} is no journal of version {VERSION}", do="Find out who put it there; the journal's folder is ours alone."
        )
    rest = file.read(_SALT + length)
    return Header(first, rest[_SALT:].decode(), rest[:_SALT], fixed + rest) if len(rest) == _SALT + length else None


class Frames:
    """The cipher of one segment, frame by frame."""

    def __init__(self, header: Header, key: DataKey) -> None:
        derived = HKDF(algorithm=SHA256(), length=32 + 8, salt=header.salt, info=b"bindery journal\0" + header.raw).derive(key.secret)
        self._aead, self._prefix, self._header, self._number = AESGCM(derived[:32]), derived[32:], header.raw, 0

    def seal(self, plain: bytes) -> bytes:
        """The next frame, with its length before it."""
        sealed = self._aead.encrypt(self._nonce(), plain, self._header)
        return _LENGTH.pack(len(sealed)) + sealed

    def open(self, sealed: bytes) -> bytes:
        """The entries of the next frame. InvalidTag when it is not what was written there."""
        return self._aead.decrypt(self._nonce(), sealed, self._header)

    def _nonce(self) -> bytes:
        nonce = self._prefix + self._number.to_bytes(4, "big")
        self._number += 1
        return nonce


def frames(path: Path, keys: KeyStore) -> Iterator[bytes]:
    """The entries of each whole frame. A torn last frame is passed over; damage anywhere else is Tampered."""
    with path.open("rb") as file:
        header = read_header(file)
        if header is None:
            return
        cipher = Frames(header, keys.get(header.key_id))
        size = path.stat().st_size
        while len(raw := file.read(_LENGTH.size)) == _LENGTH.size:
            length = _LENGTH.unpack(raw)[0]
            end = file.tell() + length
            if end > size:
                return
            try:
                yield cipher.open(file.read(length))
            except InvalidTag:
                if end == size:
                    return
                raise _damaged(path, file.tell() - length) from None


def _damaged(path: Path, offset: int) -> Tampered:
    return Tampered(
        f"the journal {path.name} is damaged at byte {offset:,}, with more behind it", do="Restore the file from a copy; do not delete it."
    )


def segments(folder: Path) -> list[Path]:
    """The segments, in order: their names are the number of their first entry, and of the try to write it."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def new_path(folder: Path, first: int) -> Path:
    """A name that no segment has yet: a crash may have left one that begins at the same number and holds no whole frame."""
    tries = sum(1 for path in segments(folder) if path.name.startswith(f"{first:016d}-"))
    return folder / f"{first:016d}-{tries:04d}{SUFFIX}"
