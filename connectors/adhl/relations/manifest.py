"""A release's manifest: what it was made by, what lies in it, and the check sum of every file.

It is published with the tables, so it holds no exact number of loans or patrons either: those are told to the operator alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from include.engine import snapshots
from include.engine.snapshots import File


@dataclass(frozen=True)
class Manifest:
    """What `latest.json` and each snapshot's `manifest.json` hold, in this order.

    path: the snapshot's folder, relative to `latest.json`. fingerprint: of all that the content depends on; equal means nothing to do.
    edition, threshold, spread: a release goes on from the one before only where all three are the same. least: patrons by level, from 1.
    """

    snapshot: str
    path: str
    made_at: str
    fingerprint: str
    shape: str
    edition: str
    threshold: int
    spread: int
    least: list[int]
    contracts: dict[str, str]
    rows: dict[str, int]
    gates: dict[str, dict[str, int]]
    files: list[File] = field(default_factory=list)

    def to_json(self) -> bytes:
        return snapshots.as_json(self)


def read_manifest(file: Path) -> Manifest | None:
    """The manifest in `file`; None when there is none."""
    return snapshots.read_manifest(Manifest, file)
