"""A person taken out of the BI snapshots: `<home>/bi/snapshots/<snapshot>/<table>/...parquet`, each with its `manifest.json`.

A dimension's row of the person goes; a fact stays as nobody's, under the key that the snapshot itself has for loans without a patron. The
manifest gets the new check sums, so that a snapshot still proves to be whole. Any table that names patrons in `patron_key` is covered.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from include.engine.crypto.keys import KeyStore
from include.engine.erasure.subject import Subject
from include.engine.privacy.pseudonym import Pseudonyms

FOLDER = "bi"
KEY = "patron_key"
_DIMENSION = "dim_patron"


@dataclass(frozen=True)
class Removed:
    """What was done to one snapshot: rows of the person that went, rows that stay as nobody's."""

    snapshot: str
    rows: int
    unlinked: int


def erase(home: Path, keys: KeyStore, subject: Subject) -> list[Removed]:
    """Take the person out of every snapshot; may be done again, and then finds nothing."""
    names = Pseudonyms(keys, subject.partner, "bi")
    gone = {names.one(one) for one in subject.pseudonyms}
    root = home / FOLDER
    if not (root / "snapshots").is_dir():
        return []
    with _alone(root):
        found = [_snapshot(folder, subject.partner, gone) for folder in sorted((root / "snapshots").iterdir()) if folder.is_dir()]
        _refresh_latest(root)
    return [one for one in found if one.rows or one.unlinked]


def _snapshot(folder: Path, partner: str, gone: Collection[str]) -> Removed:
    rows = unlinked = 0
    nobody = _nobody(folder, partner)
    for file in sorted(folder.rglob("*.parquet")):
        table = file.relative_to(folder).parts[0]
        whose = next((part for part in file.relative_to(folder).parts if part.startswith("partner=")), f"partner={partner}")
        if whose != f"partner={partner}" or KEY not in pq.read_schema(file).names:
            continue
        hit = _hits(pq.ParquetFile(file).read(columns=[KEY]).column(0), gone)
        if not hit.any():
            continue
        held = pq.ParquetFile(file).read()
        if table == _DIMENSION or nobody is None:
            held = held.filter(pa.array(~hit))
            rows += int(hit.sum())
        else:
            place = held.schema.get_field_index(KEY)
            named = pc.if_else(pa.array(hit), pa.scalar(nobody, pa.string()), held.column(place).cast(pa.string()))
            held = held.set_column(place, held.schema.field(place), named.cast(held.schema.field(place).type))
            unlinked += int(hit.sum())
        _rewrite(file, held)
    if rows or unlinked:
        _refresh_manifest(folder)
    return Removed(folder.name, rows, unlinked)


def _nobody(folder: Path, partner: str) -> str | None:
    """The key of loans without a patron, as the snapshot itself says."""
    for file in sorted((folder / _DIMENSION).rglob("*.parquet")):
        if f"partner={partner}" in file.parts:
            found = pq.ParquetFile(file).read(columns=[KEY, "anonymous"])
            keys = found.column(KEY).filter(found.column("anonymous")).to_pylist()
            if keys:
                return str(keys[0])
    return None


def _hits(column: pa.ChunkedArray, gone: Collection[str]) -> Any:
    return np.asarray(pc.is_in(column.cast(pa.string()), value_set=pa.array(sorted(gone), pa.string())))


def _rewrite(file: Path, rows: pa.Table) -> None:
    meta = pq.read_metadata(file)
    group = meta.row_group(0).num_rows if meta.num_row_groups else 1
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    pq.write_table(rows, part, compression="zstd", row_group_size=max(1, group))
    _replace(part, file)


def _refresh_manifest(folder: Path) -> None:
    path = folder / "manifest.json"
    if not path.is_file():
        return
    manifest = json.loads(path.read_bytes())
    for entry in manifest["files"]:
        file = folder / entry["path"]
        with file.open("rb") as stream:
            entry["sha256"] = hashlib.file_digest(stream, "sha256").hexdigest()
        entry["bytes"] = file.stat().st_size
        if file.suffix == ".parquet":
            entry["rows"] = pq.read_metadata(file).num_rows
    for table in manifest.get("rows", {}):
        manifest["rows"][table] = sum(entry["rows"] or 0 for entry in manifest["files"] if entry["path"].startswith(f"{table}/"))
    _write(path, (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode())


def _refresh_latest(root: Path) -> None:
    latest = root / "latest.json"
    if latest.is_file():
        manifest = root / json.loads(latest.read_bytes())["path"] / "manifest.json"
        if manifest.is_file() and manifest.read_bytes() != latest.read_bytes():
            _write(latest, manifest.read_bytes())


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    _replace(part, path)


def _replace(part: Path, path: Path) -> None:
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    part.replace(path)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """While no feed is being made: the lock that a feed holds."""
    with (root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
