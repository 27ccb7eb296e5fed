"""A BI feed: the lake's newest versions as one snapshot of the star. docs/flows/bi_feeds.md"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from connectors.bi.checking import check
from connectors.bi.dictionary import page
from connectors.bi.house import House
from connectors.bi.manifest import Manifest, describe
from connectors.bi.snapshot import appear, latest, making, only_one, prune
from connectors.bi.source import INPUTS
from connectors.bi.star import Measures, build_partner, build_shared
from connectors.bi.tables import STAR_VERSION, TABLES, schema_hash
from include.engine import clock


@dataclass(frozen=True)
class FeedReport:
    """What a feed did. `made` is False at an unchanged lake; `manifest` is then the standing one, or None while the lake is empty."""

    made: bool
    manifest: Manifest | None
    pruned: list[str]

    @property
    def snapshot(self) -> str | None:
        return self.manifest.snapshot if self.manifest else None

    def __str__(self) -> str:
        if self.manifest is None:
            return "The lake is empty: there is nothing to feed."
        if not self.made:
            return f"The lake is unchanged: {self.manifest.snapshot} stays the newest snapshot."
        measures = ", ".join(
            f"{sum(one[name] for one in self.manifest.measures.values()):,} {name}" for name in ("loans", "renewals", "returns")
        )
        gone = f" Removed: {', '.join(self.pruned)}." if self.pruned else ""
        return f"Snapshot {self.manifest.snapshot}: {measures} of {len(self.manifest.measures)} libraries.{gone}"


def feed(house: House, *, even_unchanged: bool = False) -> FeedReport:
    """Make a snapshot of the star unless the newest one was made from the very same lake; then remove surplus snapshots.

    Safe to call at any time, any number of times, by several processes at once. `even_unchanged` makes one all the same.
    Errors: Unreachable BI_FEED_BUSY; Refused BI_GATE_CLOSED (a contract is broken: the standing snapshot stays the newest);
    BinderyError BI_LOANS_DIFFER; SettingsError for a missing contract. None of them leaves anything behind.
    """
    with only_one(house.root, house.settings.lock_wait_s), making(house.root) as folder:
        versions = {table: version for table, version in house.source.versions().items() if table in INPUTS}
        standing = latest(house.root)
        partners = house.source.partners() if versions else []
        print_ = fingerprint(house, versions, partners)
        if not versions or (standing is not None and standing.fingerprint == print_ and not even_unchanged):
            return FeedReport(False, standing, _prune(house))
        manifest = _make(house, folder, partners, dict(versions), print_)
        return FeedReport(True, manifest, _prune(house))


def fingerprint(house: House, versions: dict[str, int], partners: list[str]) -> str:
    """16 hex digits of all that a snapshot's content depends on: versions, keys, libraries, contracts, and the star's own shape."""
    parts = {
        "lake": versions,
        "star": [STAR_VERSION, schema_hash()],
        "contracts": {name: contract.version for name, contract in house.contracts.items()},
        "partners": {partner: [house.pseudonyms(partner).key_id, asdict(house.library(partner))] for partner in partners},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=dict).encode()).hexdigest()[:16]


def _make(house: House, folder: Path, partners: list[str], versions: dict[str, int], print_: str) -> Manifest:
    made_at = clock.now()
    snapshot = f"{made_at:%Y%m%dT%H%M%S%f}Z__{print_[:8]}"
    star, work = folder / snapshot, folder / "work"
    star.mkdir()
    work.mkdir()
    measures = {partner: build_partner(house, partner, star, work) for partner in partners}
    build_shared(house, _years(measures), star, work)
    gates = {table: check(house, table, star, snapshot) for table in TABLES}
    (star / "dictionary.html").write_text(page(house.contracts, house.settings), encoding="utf-8")
    manifest = describe(
        star,
        snapshot=snapshot,
        made_at=made_at,
        fingerprint=print_,
        lake_versions=versions,
        contracts={contract.id: contract.version for contract in house.contracts.values()},
        measures={partner: {"loans": m.loans, "renewals": m.renewals, "returns": m.returns} for partner, m in measures.items()},
        gates=gates,
    )
    appear(house.root, star, manifest)
    return manifest


def _years(measures: dict[str, Measures]) -> tuple[int, int] | None:
    found = [(m.first_year, m.last_year) for m in measures.values() if m.first_year is not None and m.last_year is not None]
    return (min(first for first, _ in found), max(last for _, last in found)) if found else None


def _prune(house: House) -> list[str]:
    return prune(house.root, keep=house.settings.keep, keep_days=house.settings.keep_days, now=clock.now())
