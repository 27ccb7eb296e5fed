"""Sealed files: AES-256-GCM in chunks, so that a file of any size is encrypted, streamed and read at any place in bounded memory.

The construction is STREAM (Hoang, Reyhanitabar, Rogaway and Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance",
CRYPTO 2015): each chunk's nonce holds its number and whether it is the last one, so a chunk that is dropped, moved, repeated or cut off
does not authenticate. Each file has a key of its own, HKDF-SHA-256 (RFC 5869) of the data key and a random salt, so no nonce is ever used
twice and a chunk of another file does not authenticate either, under the same data key or not.

    header  magic "BINDSEAL", version u8, chunk size u32, key id length u8, salt 32 bytes, key id (UTF-8)      integers big-endian
    chunk   ciphertext of `chunk size` bytes (the last: 0 to `chunk size`) and its 16-byte tag                  one or more
    nonce   7 bytes from HKDF, chunk number u32, 1 for the last chunk, else 0                                   not stored

The header is the associated data of every chunk. A caller may bind a `context` (what the file is) into the key as well: then a sealed file
that was put in another one's place is refused even where both have the same data key.
"""

from __future__ import annotations

import errno
import io
import os
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from include.engine.crypto.keys import DataKey, KeyStore
from include.engine.errors import Tampered

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

MAGIC = b"BINDSEAL"
VERSION = 1
CHUNK = 1 << 20
LARGEST_CHUNK = 16 << 20  # what a reader is ready to hold, whatever an altered header asks for
MOST_CHUNKS = 1 << 32  # the counter in the nonce: 4 PiB at 1 MiB a chunk
TAG = 16
SALT = 32
_FIXED = struct.Struct(">8sBIB")


@dataclass(frozen=True)
class _Header:
    chunk: int
    salt: bytes
    key_id: str

    def encode(self) -> bytes:
        key_id = self.key_id.encode()
        return _FIXED.pack(MAGIC, VERSION, self.chunk, len(key_id)) + self.salt + key_id


class _Cipher:
    """The file's own key, and the nonce of each of its chunks."""

    def __init__(self, header: _Header, key: DataKey, context: str) -> None:
        self._header = header.encode()
        info = b"bindery seal\0" + self._header + b"\0" + context.encode()
        derived = HKDF(algorithm=SHA256(), length=32 + 7, salt=header.salt, info=info).derive(key.secret)
        self._aead, self._prefix = AESGCM(derived[:32]), derived[32:]

    def _nonce(self, number: int, last: bool) -> bytes:
        return self._prefix + number.to_bytes(4, "big") + (b"\1" if last else b"\0")

    def seal(self, number: int, last: bool, plain: memoryview, out: memoryview) -> int:
        return self._aead.encrypt_into(self._nonce(number, last), plain, self._header, out)

    def open(self, number: int, last: bool, sealed: memoryview, out: memoryview) -> int:
        return self._aead.decrypt_into(self._nonce(number, last), sealed, self._header, out)


class SealedWriter(io.RawIOBase):
    """Seals what is written to it into `raw`.

    `close()` writes the final chunk and leaves `raw` open, so that the caller can flush and fsync it before its rename. Leaving a `with`
    block by an error, `abandon()`, or being forgotten writes no final chunk: such a file is refused on reading, not taken for a whole one.
    """

    def __init__(self, raw: BinaryIO, key: DataKey, *, context: str = "", chunk: int = CHUNK) -> None:
        if not 0 < chunk <= LARGEST_CHUNK:
            raise ValueError(f"a chunk is 1 to {LARGEST_CHUNK} bytes, not {chunk}")
        super().__init__()
        header = _Header(chunk, os.urandom(SALT), key.key_id)
        self._raw, self._cipher, self._chunk = raw, _Cipher(header, key, context), chunk
        self._held, self._fill, self._number = bytearray(chunk), 0, 0
        self._out = bytearray(chunk + TAG)
        self._broken = False
        self._put(header.encode())

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        """Take all of `data`; returns its length in bytes."""
        if self.closed:
            raise ValueError("write to a sealed file that is closed")
        with memoryview(data) as given, given.cast("B") as view, memoryview(self._held) as held:
            done, total = 0, len(view)
            while done < total:
                if self._fill == self._chunk:  # a full chunk waits here until it is known not to be the last
                    self._emit(held, last=False)
                    self._fill = 0
                take = min(self._chunk - self._fill, total - done)
                held[self._fill : self._fill + take] = view[done : done + take]
                self._fill += take
                done += take
            return total

    def close(self) -> None:
        """Write the final chunk. Without this call the file is not whole."""
        if self.closed:
            return
        try:
            if not self._broken:
                self._emit(memoryview(self._held)[: self._fill], last=True)
        finally:
            super().close()

    def abandon(self) -> None:
        """Close without the final chunk: what was written can never be read as a file."""
        self._broken = True
        self.close()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def __del__(self) -> None:  # IOBase would close, and so finish, a file that its writer never finished
        self._broken = True
        super().__del__()

    def _emit(self, plain: memoryview, *, last: bool) -> None:
        if self._broken:
            raise OSError("an earlier write to this sealed file failed")
        if self._number == MOST_CHUNKS:
            self._broken = True
            raise ValueError(f"a sealed file holds at most {MOST_CHUNKS} chunks")
        size = len(plain) + TAG
        with memoryview(self._out) as out:
            self._cipher.seal(self._number, last, plain, out[:size])
            self._put(out[:size])
        self._number += 1

    def _put(self, data: ReadableBuffer) -> None:
        try:
            with memoryview(data) as view:
                done = 0
                while done < len(view):
                    done += self._raw.write(view[done:])
        except BaseException:  # a nonce must not be used again on a second try
            self._broken = True
            raise


class SealedReader(io.RawIOBase):
    """Reads what a SealedWriter sealed, from any place, holding one chunk at a time.

    `raw` must be seekable; the sealed file begins where it stands. The last chunk is authenticated at once, so a file that was cut short is
    refused before its first byte is handed out. Nothing unauthenticated is ever returned. Closing closes `raw`.
    Raises Tampered for bytes that were altered, cut, moved or sealed with another key or context; `where` names the file in its words.
    Not for several threads at once.
    """

    def __init__(self, raw: BinaryIO, key: DataKey, *, context: str = "", where: str = "") -> None:
        super().__init__()
        self._raw, self._where = raw, where
        header = _read_header(raw, where)
        if header.key_id != key.key_id:
            raise self._refusal(f"it is sealed with the key {header.key_id}, not with {key.key_id}")
        self._cipher, self._chunk = _Cipher(header, key, context), header.chunk
        self._start = raw.tell()
        sealed = raw.seek(0, io.SEEK_END) - self._start
        self._chunks = max(1, -(-sealed // (self._chunk + TAG)))
        self._size = sealed - self._chunks * TAG
        self._sealed, self._plain = bytearray(self._chunk + TAG), bytearray(self._chunk)
        self._number, self._length, self._at = -1, 0, 0
        self._load(self._chunks - 1)

    @property
    def size(self) -> int:
        """Length of the plain bytes."""
        return self._size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if at < 0:
            raise OSError(errno.EINVAL, f"seek to {at}: before the file's beginning")  # as files do: zipfile counts on it
        self._at = at
        return at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill `buffer` as far as the file reaches; returns the number of bytes, 0 at the end."""
        if self.closed:
            raise ValueError("read from a sealed file that is closed")
        with memoryview(buffer) as given, given.cast("B") as view:
            done = 0
            while done < len(view) and self._at < self._size:
                number, within = divmod(self._at, self._chunk)
                self._load(number)
                take = min(self._length - within, len(view) - done)
                view[done : done + take] = memoryview(self._plain)[within : within + take]
                done += take
                self._at += take
            return done

    def readall(self) -> bytes:
        rest = bytearray(max(0, self._size - self._at))
        self.readinto(rest)
        return bytes(rest)

    def close(self) -> None:
        if not self.closed:
            try:
                self._raw.close()
            finally:
                super().close()

    def _load(self, number: int) -> None:
        if number == self._number:
            return
        last = number == self._chunks - 1
        length = self._size - number * self._chunk if last else self._chunk
        if length < 0:
            raise self._refusal("it is cut short")
        self._number = -1
        self._raw.seek(self._start + number * (self._chunk + TAG))
        sealed = memoryview(self._sealed)[: length + TAG]
        if _fill(self._raw, sealed) < len(sealed):
            raise self._refusal("it is cut short")
        try:
            self._cipher.open(number, last, sealed, memoryview(self._plain)[:length])
        except InvalidTag:
            raise self._refusal(f"part {number + 1} of {self._chunks} does not authenticate") from None
        self._number, self._length = number, length

    def _refusal(self, what: str) -> Tampered:
        return _refusal(what, self._where)


def key_id_of(raw: BinaryIO, *, where: str = "") -> str:
    """The id of the key that the sealed file at `raw`'s position was sealed with; leaves the position as it was."""
    at = raw.tell()
    try:
        return _read_header(raw, where).key_id
    finally:
        raw.seek(at)


def cut_to_header(raw: BinaryIO, *, where: str = "") -> None:
    """Take everything but the header off the sealed file at `raw`'s position: what is left names the key, which should be destroyed by now."""
    _read_header(raw, where)
    raw.truncate(raw.tell())


def open_sealed(raw: BinaryIO, keys: KeyStore, *, context: str = "", where: str = "") -> SealedReader:
    """A reader for a sealed file with the key that its header names. KeyDestroyed when that key is gone."""
    return SealedReader(raw, keys.get(key_id_of(raw, where=where)), context=context, where=where)


def _read_header(raw: BinaryIO, where: str) -> _Header:
    fixed = bytearray(_FIXED.size)
    if _fill(raw, memoryview(fixed)) < len(fixed) or fixed[: len(MAGIC)] != MAGIC:
        raise _refusal("it is no sealed file", where)
    _, version, chunk, named = _FIXED.unpack(fixed)
    if version != VERSION or not 0 < chunk <= LARGEST_CHUNK:
        raise _refusal(f"its header (version {version}) is not one that can be read", where)
    rest = bytearray(SALT + named)
    if _fill(raw, memoryview(rest)) < len(rest):
        raise _refusal("it is cut short", where)
    try:
        return _Header(chunk, bytes(rest[:SALT]), rest[SALT:].decode())
    except UnicodeDecodeError:
        raise _refusal("its header is damaged", where) from None


def _fill(raw: BinaryIO, into: memoryview) -> int:
    """Read until `into` is full or the file ends; the number of bytes read."""
    done = 0
    while done < len(into):
        part = raw.read(len(into) - done)
        if not part:
            break
        into[done : done + len(part)] = part
        done += len(part)
    return done


def _refusal(what: str, where: str) -> Tampered:
    return Tampered(
        f"the sealed bytes are refused: {what}", where=where, do="Restore the file, or ask for the records to be delivered again."
    )
