"""A harvest into one Parquet file, without an installation: what `python -m connectors.oai_pmh harvest` does."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from connectors.oai_pmh.harvest.fetch import Harvest, client_of
from connectors.oai_pmh.harvest.identity import identify
from connectors.oai_pmh.harvest.newest import Comings
from connectors.oai_pmh.harvest.progress import Progress
from connectors.oai_pmh.harvest.reading import opened
from connectors.oai_pmh.harvest.record import items
from connectors.oai_pmh.harvest.times import moment
from connectors.oai_pmh.harvest.waiting import Waiting
from connectors.oai_pmh.settings import OaiHarvest
from include.engine.credentials import Credentials
from include.engine.storage.warc import Page

SCHEMA = pa.schema(
    [
        pa.field("identifier", pa.string(), nullable=False),
        pa.field("datestamp", pa.timestamp("us", tz="UTC")),
        pa.field("sets", pa.list_(pa.string())),
        pa.field("deleted", pa.bool_(), nullable=False),
        pa.field("xml", pa.string()),
    ]
)
"""A row a record; `xml` is its metadata, an element that stands alone, and null where the record is deleted."""
_ROWS = 5_000


@dataclass(frozen=True)
class Stretch:
    """What is asked for."""

    series: str
    from_at: datetime | None
    until_at: datetime | None


@dataclass
class Done:
    """What came of it: records in the file, of them deleted; comings left out because a newer one followed; records that could not be read."""

    records: int = 0
    deleted: int = 0
    repeated: int = 0
    rejected: int = 0
    announced: int | None = None
    notes: dict[str, int] = field(default_factory=dict)


class _File:
    """Rows as pages come; what cannot be read goes into `<out>.rejected.jsonl`, with its bytes."""

    def __init__(self, path: Path, rejected: Path, tell: Callable[[Progress], None]) -> None:
        self._writer = pq.ParquetWriter(path, SCHEMA, compression="zstd")
        self._rejected, self._tell = rejected, tell
        self._columns: list[list[Any]] = [[] for _ in SCHEMA]
        self.comings, self.done = Comings(), Done()
        self.progress: dict[str, Progress] = {}

    def add(self, page: Page) -> None:
        if "Fault" in page.fields:
            self._reject(page.fields["Identifier"], page.fields["Fault"], page.content)
            return
        found = opened(page)
        for note in found.notes:
            self.done.notes[note] = self.done.notes.get(note, 0) + 1
        for item in items(found):
            at = moment(item.datestamp)
            if item.fault is not None:
                offset, length = found.text.place(item.start, item.end)
                self._reject(item.identifier, item.fault, page.content[offset : offset + length])
                continue
            self.comings.add(item.identifier.encode(), int(at.timestamp()) if at else 0)
            row = (item.identifier, at, list(item.sets), item.deleted, None if item.xml is None else item.xml.decode())
            for column, value in zip(self._columns, row, strict=True):
                column.append(value)
        if len(self._columns[0]) >= _ROWS:
            self.flush()
        if progress := self.progress.get(page.fields["Series"]):
            self._tell(progress)

    def flush(self) -> None:
        if self._columns[0]:
            arrays = [pa.array(column, one.type) for column, one in zip(self._columns, SCHEMA, strict=True)]
            self._writer.write_batch(pa.record_batch(arrays, schema=SCHEMA))
            self._columns = [[] for _ in SCHEMA]

    def close(self) -> None:
        self.flush()
        self._writer.close()

    def _reject(self, identifier: str, reason: str, raw: bytes) -> None:
        self.done.rejected += 1
        with self._rejected.open("a", encoding="utf-8") as file:
            told = {"identifier": identifier, "reason": reason, "raw": raw.decode("utf-8", "backslashreplace")}
            file.write(json.dumps(told, ensure_ascii=False) + "\n")


def harvest_to(
    out: Path, flow: OaiHarvest, begin: datetime | None, until: datetime | None, credentials: Credentials, tell: Callable[[Progress], None]
) -> Done:
    """Harvest into `out`, which is there when all of it has come, and not before. Each record once, in its newest state. Raises what the harvest raises."""
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
    rejected = out.with_name(f"{out.name}.rejected.jsonl")
    rejected.unlink(missing_ok=True)
    file = _File(temporary, rejected, tell)
    try:
        with client_of(flow, credentials, Waiting(flow.polite)) as client:
            file.progress = {series: Progress(series) for series in flow.series}
            harvest = Harvest(file, flow, client, identify(client), file.progress)
            for series in flow.series:
                harvest.window(Stretch(series, begin, until))
        file.close()
        _once(temporary, file)
        temporary.replace(out)
    finally:
        with suppress(OSError, ValueError):
            file.close()
        temporary.unlink(missing_ok=True)
    sizes = [one.size for one in file.progress.values() if one.size is not None]
    file.done.announced = sum(sizes) if sizes else None
    return file.done


def _once(path: Path, file: _File) -> None:
    """Leave out comings that a newer one of the same record followed; the file is written anew only where there are any."""
    counting, done = file.comings.counting(), file.done
    done.repeated = int((~counting).sum())
    source = pq.ParquetFile(path)
    at, again = 0, path.with_name(f"{path.name}.once")
    writer = pq.ParquetWriter(again, SCHEMA, compression="zstd") if done.repeated else None
    for batch in source.iter_batches(_ROWS, columns=None if writer else ["deleted"]):
        keep = pa.array(counting[at : at + batch.num_rows])
        at += batch.num_rows
        batch = batch.filter(keep)
        done.records += batch.num_rows
        done.deleted += batch.column("deleted").true_count
        if writer:
            writer.write_batch(batch)
    source.close()
    if writer:
        writer.close()
        again.replace(path)
