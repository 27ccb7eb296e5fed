"""The original bytes of records set aside: one sealed Arrow file a try of a step, in `<home>/quarantine/<partner>/<delivery>/`.

A row's place in its file is its `blob_row` in the ledger, and never changes: erasing a row empties it where it is.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.engine.crypto.keys import DataKey, KeyStore
from include.engine.crypto.seal import SealedWriter, open_sealed
from include.engine.delivery import Delivery
from include.engine.durable import sync_folder
from include.engine.errors import Unreachable
from include.engine.failpoints import point
from include.engine.quarantine.schema import SET_ASIDE, conform
from include.engine.storage.uri import Location, parse

FOLDER = "quarantine"
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


def keep(home: Path, delivery: Delivery, token: int, set_aside: pa.Table | Iterable[pa.Table], key: DataKey, *, step: str = "gate") -> str:
    """Seal the records that a try (its fencing `token`) of `step` set aside. Returns the file's URI, durable, relative to `home`.

    Takes one table or several, in the columns of SET_ASIDE (what is lacking becomes null); rows are numbered through in their order. A try
    that keeps twice replaces its own file; two tries at once never write into the same one.
    """
    uri = str(Location("file", "", f"{FOLDER}/{delivery.partner}/{delivery.id}/{token:06d}-{step}.sealed"))
    _write(home, uri, [set_aside] if isinstance(set_aside, pa.Table) else set_aside, key)
    return uri


def read(home: Path, blob_uri: str, keys: KeyStore, rows: Collection[int] | None = None) -> pa.Table:
    """The records in `blob_uri` (SET_ASIDE), or those of them at `rows`, in ascending order.

    KeyDestroyed when their key is gone, Tampered when the file was damaged or another file stands in its place, Unreachable when it is not
    there (its retention may be over).
    """
    with _open(home, blob_uri, keys) as arrow:
        if rows is None:
            return arrow.read_all()
        wanted = np.array(sorted(set(rows)), dtype=np.int64)
        parts, start = [], 0
        for number in range(arrow.num_record_batches):
            batch = arrow.get_batch(number)
            here = wanted[(wanted >= start) & (wanted < start + batch.num_rows)] - start
            parts += [batch.take(pa.array(here))] if len(here) else []
            start += batch.num_rows
        return pa.Table.from_batches(parts, schema=SET_ASIDE)


def reseal(home: Path, blob_uri: str, keys: KeyStore, key: DataKey, *, erase: Collection[int] = ()) -> None:
    """Write the file anew under another key, in its own place, with the bytes and details of the rows `erase` left out.

    Afterwards the old key may be destroyed: the other records stay readable.
    """
    gone = np.array(sorted(set(erase)), dtype=np.int64)

    def emptied() -> Iterable[pa.Table]:
        start = 0
        with _open(home, blob_uri, keys) as arrow:
            for number in range(arrow.num_record_batches):
                table = pa.Table.from_batches([arrow.get_batch(number)])
                keeps = pa.array(~np.isin(np.arange(start, start + table.num_rows), gone))
                for name in ("detail", "raw"):
                    place = table.schema.get_field_index(name)
                    blank = pa.nulls(table.num_rows, table.schema.field(place).type)
                    column = pc.if_else(keeps, table.column(place).combine_chunks(), blank)
                    table = table.set_column(place, table.schema.field(place), column)
                yield table
                start += table.num_rows

    _write(home, blob_uri, emptied(), key)


def blobs(home: Path, partner: str, delivery_id: str) -> list[str]:
    """URIs of the files that a delivery has in quarantine, those of overtaken tries too."""
    folder = home / FOLDER / partner / delivery_id
    return [str(Location("file", "", file.relative_to(home).as_posix())) for file in sorted(folder.glob("*.sealed"))]


def discard(home: Path, blob_uri: str) -> bool:
    """Remove a file; False when it was not there any more. Its bytes are gone for certain only with their key."""
    path = parse(blob_uri).local(home)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _write(home: Path, uri: str, tables: Iterable[pa.Table], key: DataKey) -> None:
    path = parse(uri).local(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as raw:
            with SealedWriter(raw, key, context=uri) as sealed, pa.ipc.new_file(sealed, SET_ASIDE, options=_OPTIONS) as arrow:
                for table in tables:
                    arrow.write_table(conform(table), max_chunksize=65_536)
            raw.flush()
            os.fsync(raw.fileno())
        point("quarantine.synced")
        part.replace(path)
        sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _open(home: Path, uri: str, keys: KeyStore) -> Iterator[pa.ipc.RecordBatchFileReader]:
    try:
        raw = parse(uri).local(home).open("rb")
    except FileNotFoundError:
        raise Unreachable("these records are no longer kept.", where=uri, do="Ask for them to be delivered again.") from None
    with raw, open_sealed(raw, keys, context=uri, where=uri) as sealed:
        yield pa.ipc.open_file(sealed)
