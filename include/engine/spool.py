"""Tables on their way between two tasks: Arrow streams, compressed and sealed with the delivery's key, written once and read from the start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from include.engine.ahead import Behind
from include.engine.crypto.keys import DataKey
from include.engine.crypto.seal import SealedReader, SealedWriter
from include.engine.durable import sync_folder
from include.engine.failpoints import point
from include.engine.memory import give_back

STAGING = "staging"
LARGEST = 32 << 20
"""Bytes of a batch in a stream: so its reader has work to do while the next one is unpacked, also where rows are documents."""


def staging(home: Path, partner: str, delivery_id: str) -> Path:
    """Where the rows of one delivery lie between its tasks, each try in a folder of its own."""
    return home / STAGING / partner / delivery_id


class SpoolWriter:
    """One sealed Arrow stream; the file has its name only once it is whole (written beside, fsynced, renamed).

    Rows are compressed and sealed in a thread of their own: an error there is raised by the next call.
    """

    def __init__(self, path: Path, schema: pa.Schema, key: DataKey) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._part = path, path.with_suffix(path.suffix + ".part")
        self._raw = self._part.open("wb")
        self._sealed = SealedWriter(self._raw, key)
        self._stream = pa.ipc.new_stream(self._sealed, schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))
        self._behind = Behind()
        self.schema, self.rows = schema, 0

    def write(self, rows: pa.RecordBatch | pa.Table) -> None:
        """Append rows; their columns are brought into the schema's order."""
        for batch in rows.to_batches() if isinstance(rows, pa.Table) else [rows]:
            ordered = pa.RecordBatch.from_arrays([batch.column(name) for name in self.schema.names], schema=self.schema)
            for part in _parts(ordered):
                self._behind.do(self._stream.write_batch, part)
            self.rows += batch.num_rows
        give_back()

    def __enter__(self) -> SpoolWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self._behind.end()
            self._forget()

    def close(self) -> None:
        """Finish the file: after this it is there, whole and durable; by an error there is nothing of it."""
        try:
            self._finish()
        except BaseException:
            self._behind.end()
            self._forget()
            raise

    def _forget(self) -> None:
        with suppress(OSError):  # on a full disk closing tries once more to write what it holds
            self._raw.close()
        self._part.unlink(missing_ok=True)

    def _finish(self) -> None:
        self._behind.wait()
        self._behind.end()
        self._stream.close()
        self._sealed.close()
        self._raw.flush()
        point("spool.written")
        os.fsync(self._raw.fileno())
        self._raw.close()
        point("spool.synced")
        self._part.replace(self._path)
        sync_folder(self._path.parent)


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The rows in batches of at most about LARGEST bytes."""
    rows = max(1, batch.num_rows * LARGEST // max(batch.nbytes, LARGEST))
    for start in range(0, batch.num_rows, rows) if batch.num_rows > rows else (0,):
        yield batch.slice(start, rows)


class Spools:
    """A spool for each table, `<folder>/<table>.<kind>`, begun with the table's first rows; used as a context, at whose end all are whole."""

    def __init__(self, folder: Path, kind: str, key: DataKey) -> None:
        self._folder, self._kind, self._key, self._stack = folder, kind, key, ExitStack()
        self._writers: dict[str, SpoolWriter] = {}

    def write(self, table: str, rows: pa.RecordBatch | pa.Table) -> None:
        """Append rows of a table, which may be none."""
        if table not in self._writers:
            path = self._folder / f"{table}.{self._kind}"
            self._writers[table] = self._stack.enter_context(SpoolWriter(path, rows.schema, self._key))
        self._writers[table].write(rows)

    @property
    def rows(self) -> dict[str, int]:
        """How many rows each table has got."""
        return {table: writer.rows for table, writer in self._writers.items()}

    def __enter__(self) -> Spools:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, trace)


@contextmanager
def open_spool(path: Path, key: DataKey) -> Iterator[pa.RecordBatchReader]:
    """Read a spool batch by batch. A missing file is FileNotFoundError, a damaged one Tampered."""
    with path.open("rb") as raw:
        yield pa.ipc.open_stream(SealedReader(raw, key))
