"""Landing: a partner's bytes, kept exactly as they came, sealed and under the name of their content.

The content hash is of the bytes as delivered, before sealing; it is how a re-delivery under another name is known.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from include.engine.credentials import Credentials
from include.engine.crypto.keys import DataKey, KeyStore
from include.engine.crypto.seal import SealedReader, SealedWriter, open_sealed
from include.engine.errors import Refused, Unreachable
from include.engine.failpoints import point
from include.engine.storage.drive import BLOCK
from include.engine.storage.filesystem import Store, open_store
from include.engine.storage.seen import Seen, shown
from include.engine.storage.uri import Location, parse

CONTEXT = "landed"  # sealed into the file: it cannot be passed off as a quarantine or staged file of the same key


@dataclass(frozen=True)
class Landed:
    """Where the sealed bytes lie; `content_hash` "sha256:<hex>" and `size` are of the bytes as delivered."""

    uri: str
    content_hash: str
    size: int
    sealed_size: int


def land(
    store: Store, path: str, *, root: Store | str | Path, key: DataKey, expect: Seen | None = None, most_bytes: int | None = None
) -> Landed:
    """Copy a delivered file, sealed, into the delivery's own folder `root`, as `<sha256[:16]>.sealed`. Safe to do twice, or twice at once.

    `expect` is the file as it was when it was claimed. Raises Refused: FILE_GONE, FILE_EMPTY, FILE_TOO_LARGE, FILE_IS_LINK,
    FILE_NOT_REGULAR, FILE_NAME_UNSAFE; FILE_TRUNCATED and FILE_CHANGED_IN_READ when it is not, or does not stay, what was claimed (the
    changed file then is a delivery of its own). Unreachable for what a retry may mend. Leaves nothing behind when it fails.
    """
    where = f"{store.location}, file {shown(path)}"
    before = store.stat(path)
    if before.refused:
        raise Refused("it cannot be taken in", where=where, do="Deliver a plain file under a plain name.", code=before.refused)
    if expect is not None and (before.size, before.mtime_ns) != (expect.size, expect.mtime_ns):
        raise _changed(where, "since it was claimed")
    if before.size == 0:
        raise Refused("it is empty", where=where, do="Deliver it again.", code="FILE_EMPTY")
    if most_bytes is not None and before.size > most_bytes:
        values = {"limit": most_bytes}
        raise Refused(f"it is larger than {most_bytes} bytes", where=where, do="Deliver it in parts.", code="FILE_TOO_LARGE", values=values)
    with store.open_read(path) as source:
        return _kept(root, key, _watched(source, before.size), lambda read: _unchanged(store, path, before, read, where))


def land_bytes(blocks: Iterator[bytes], *, root: Store | str | Path, key: DataKey) -> Landed:
    """Bytes that we fetched ourselves, sealed into the delivery's own folder as `land` does it with a file."""
    return _kept(root, key, blocks, lambda _: None)


def _kept(root: Store | str | Path, key: DataKey, blocks: Iterator[bytes], whole: Callable[[int], None]) -> Landed:
    """Seal the blocks, and give them their name when `whole`, told how many bytes came, does not object."""
    kept = _home(root)
    digest, sizes = hashlib.sha256(), [0]
    temporary = f".{secrets.token_hex(6)}.part"
    kept.drive.make_folder("")
    try:
        sealed_size = kept.put_as_is(temporary, _seal(_hashed(blocks, digest, sizes), key))
        point("landing.sealed")
        whole(sizes[0])
        name = f"{digest.hexdigest()[:16]}.sealed"
        kept.rename(temporary, name, overwrite=True)  # a second try seals the same bytes with the same key
    except BaseException as error:
        kept.forget(temporary)
        if isinstance(error, Unreachable) and error.code == "STORE_FULL":  # a disk of ours, not the partner's
            raise Unreachable("the disk of this installation is full.", where=str(kept.location), do=error.do, code="HOME_FULL") from None
        raise
    return Landed(kept.uri(name), f"sha256:{digest.hexdigest()}", sizes[0], sealed_size)


def open_landed(landed: Landed | str, keys: KeyStore, *, home: Path | None = None, credentials: Credentials | None = None) -> SealedReader:
    """The delivered bytes again: readable and seekable, to be closed. KeyDestroyed after erasure, Tampered when they were altered."""
    location = parse(landed if isinstance(landed, str) else landed.uri)
    folder, name = location.parent()
    raw = open_store(folder, credentials, home).open_read(name)
    try:
        return open_sealed(raw, keys, context=CONTEXT, where=str(location))
    except BaseException:
        raw.close()
        raise


def _home(root: Store | str | Path) -> Store:
    if isinstance(root, Store):
        return root
    if isinstance(root, Path):
        return open_store(Location("file", "", str(root.absolute())))
    return open_store(root)


def _watched(source: BinaryIO, size: int) -> Iterator[bytes]:
    """The blocks of a file; one that grows is not followed for ever."""
    read = 0
    while read <= size and (block := source.read(BLOCK)):
        read += len(block)
        yield block


def _hashed(blocks: Iterator[bytes], digest: hashlib._Hash, sizes: list[int]) -> Iterator[bytes]:
    """The blocks as they pass, hashed and counted."""
    for block in blocks:
        digest.update(block)
        sizes[0] += len(block)
        yield block


def _seal(blocks: Iterator[bytes], key: DataKey) -> Iterator[bytes]:
    sealed = _Sealed()
    writer = SealedWriter(cast(BinaryIO, sealed), key, context=CONTEXT)
    with writer:
        for block in blocks:
            writer.write(block)
            yield sealed.take()
            point("landing.block")
    yield sealed.take()


class _Sealed:
    """Where the writer puts sealed bytes until they are taken."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        self._held += data
        return len(data)

    def take(self) -> bytes:
        taken, self._held = self._held, bytearray()
        return bytes(taken)


def _unchanged(store: Store, path: str, before: Seen, read: int, where: str) -> None:
    if read < before.size:
        what, values = f"it ended after {read} of {before.size} bytes", {"count": read, "expected": before.size}
        raise Refused(what, where=where, do="Deliver it again, whole.", code="FILE_TRUNCATED", values=values)
    after = store.stat(path)  # FILE_GONE: what was taken back while we read it was not meant to stay
    if read > before.size or (after.size, after.mtime_ns) != (before.size, before.mtime_ns):
        raise _changed(where, "while it was read")


def _changed(where: str, when: str) -> Refused:
    return Refused(
        f"it changed {when}", where=where, do="The finished file is taken in as a delivery of its own.", code="FILE_CHANGED_IN_READ"
    )
