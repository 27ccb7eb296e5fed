"""A snapshot's manifest: what it was made from, what lies in it, and the check sum of every file."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from connectors.bi.tables import STAR_VERSION, TABLES, schema_hash
from include.engine import snapshots
from include.engine.snapshots import File


@dataclass(frozen=True)
class Manifest:
    """What `latest.json` and each snapshot's `manifest.json` hold, in this order.

    path: the snapshot's folder, relative to `latest.json`. fingerprint: of all that the content depends on; equal means nothing to do.
    rows: by table. measures: by partner, loans, renewals and returns each for itself. gates: by table, rules checked and warnings.
    """

    snapshot: str
    path: str
    made_at: str
    fingerprint: str
    lake_versions: dict[str, int]
    star_version: str
    schema_hash: str
    contracts: dict[str, str]
    rows: dict[str, int]
    measures: dict[str, dict[str, int]]
    gates: dict[str, dict[str, int]]
    columns: dict[str, dict[str, str]]
    files: list[File] = field(default_factory=list)

    def to_json(self) -> bytes:
        return snapshots.as_json(self)

    def files_of(self, table: str) -> list[File]:
        """The Parquet files of one table."""
        return [file for file in self.files if file.path.startswith(f"{table}/")]


def read_manifest(file: Path) -> Manifest | None:
    """The manifest in `file`; None when there is none."""
    return snapshots.read_manifest(Manifest, file)


def describe(
    folder: Path,
    *,
    snapshot: str,
    made_at: datetime,
    fingerprint: str,
    lake_versions: dict[str, int],
    contracts: dict[str, str],
    measures: dict[str, dict[str, int]],
    gates: dict[str, dict[str, int]],
) -> Manifest:
    """The manifest of what lies in `folder`. Each file is read once, for its check sum, and is on disk (fsync) when this returns."""
    files = snapshots.files_in(folder)
    return Manifest(
        snapshot=snapshot,
        path=f"snapshots/{snapshot}",
        made_at=made_at.isoformat(timespec="seconds"),
        fingerprint=fingerprint,
        lake_versions=dict(sorted(lake_versions.items())),
        star_version=STAR_VERSION,
        schema_hash=schema_hash(),
        contracts=contracts,
        rows={name: sum(file.rows or 0 for file in files if file.path.startswith(f"{name}/")) for name in TABLES},
        measures=measures,
        gates=gates,
        columns={name: {column.name: str(column.type) for column in table.schema} for name, table in TABLES.items()},
        files=files,
    )


def differences(folder: Path, manifest: Manifest) -> list[str]:
    """Every file that is missing, altered or not named; an empty list means the snapshot is as it was made."""
    return snapshots.differences(folder, manifest.files)
