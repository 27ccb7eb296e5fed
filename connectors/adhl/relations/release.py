"""A release of the relations: the lake's newest versions as one snapshot. docs/flows/adhl_relations.md"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from connectors.adhl.relations.borrowed import gather
from connectors.adhl.relations.count import pairs
from connectors.adhl.relations.edges import Secret, least_of
from connectors.adhl.relations.house import INPUTS, House
from connectors.adhl.relations.manifest import Manifest, read_manifest
from connectors.adhl.relations.released import EMPTY, Released, read_released
from connectors.adhl.relations.released import release as next_release
from connectors.adhl.relations.tables import SHAPE, TABLES
from connectors.adhl.relations.write import write
from include.engine import clock, snapshots
from include.engine.gate.published import agrees, check


@dataclass(frozen=True)
class ReleaseReport:
    """What a release did, for the operator: its figures are exact, and are not published.

    `made` is False at an unchanged lake; `manifest` is then the standing one, or None while the lake is empty.
    """

    made: bool
    manifest: Manifest | None
    pruned: list[str]
    loans: int = 0
    patrons: int = 0
    left_out: dict[str, dict[str, int]] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.manifest is None:
            return "The lake is empty: there is nothing to relate."
        if not self.made:
            return f"The lake is unchanged: {self.manifest.snapshot} stays the newest release."
        told = f"{self.loans:,} home loans of {self.patrons:,} patrons"
        aside = "; ".join(
            f"{who}: {', '.join(f'{rows:,} {why}' for why, rows in found.items())}" for who, found in self.left_out.items() if found
        )
        rows = self.manifest.rows
        gone = f" Removed: {', '.join(self.pruned)}." if self.pruned else ""
        return f"Release {self.manifest.snapshot}: {rows['relation']:,} relations of {rows['title']:,} titles from {told}. Not counted: {aside}.{gone}"


def release(house: House, *, even_unchanged: bool = False) -> ReleaseReport:
    """Make a release unless the newest one was made from the very same lake; then remove surplus snapshots.

    Safe to call at any time, any number of times, by several processes at once. `even_unchanged` makes one all the same.
    Errors: Unreachable ADHL_RELATIONS_BUSY; Refused ADHL_GATE_CLOSED (a contract is broken: the standing release stays the newest);
    SettingsError for a contract that describes other columns. None of them leaves anything behind.
    """
    with (
        snapshots.only_one(house.root, house.settings.lock_wait_s, what="release of the relations", code="ADHL_RELATIONS_BUSY"),
        snapshots.making(house.root) as folder,
    ):
        versions = {table: version for table, version in house.source.versions().items() if table in INPUTS}
        standing = snapshots.latest(house.root, read_manifest)
        print_ = fingerprint(house, versions)
        if "loan" not in versions or (standing is not None and standing.fingerprint == print_ and not even_unchanged):
            return ReleaseReport(False, standing, _prune(house))
        return _make(house, folder, standing, print_)


def fingerprint(house: House, versions: dict[str, int]) -> str:
    """16 hex digits of all that a release's content depends on: versions, settings, pids, contracts, and the tables' own shape."""
    mine = house.settings
    parts = {
        "lake": versions,
        "shape": SHAPE,
        "settings": [mine.threshold, mine.spread, mine.most_titles, mine.institution_titles, mine.related, mine.edition],
        "catalogues": {partner: house.catalogue(partner) for partner in (house.source.partners() if versions else [])},
        "contracts": {name: contract.version for name, contract in house.contracts.items()},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _make(house: House, folder: Path, standing: Manifest | None, print_: str) -> ReleaseReport:
    for name, schema in TABLES.items():
        agrees(house.contracts[name], schema)
    settings, made_at = house.settings, clock.now()
    name = f"{made_at:%Y%m%dT%H%M%S%f}Z__{print_[:8]}"
    place, work = folder / name, folder / "work"
    place.mkdir()
    work.mkdir()
    borrowed = gather(house, work)
    secret = Secret(house.keys, settings)
    released = next_release(
        borrowed.titles,
        pairs(borrowed, settings.threshold, threads=settings.threads),
        _before(house, standing),
        secret,
        settings,
    )
    figures = (borrowed.loans, borrowed.patrons, borrowed.left_out)
    del borrowed
    write(released, place, least_of(settings), settings.related)
    manifest = _described(house, place, released, print_, made_at)
    snapshots.appear(house.root, place, manifest)
    return ReleaseReport(True, manifest, _prune(house), *figures)


def _before(house: House, standing: Manifest | None) -> Released:
    """The release that the next one goes on from; an empty one where an edition begins."""
    mine = house.settings
    if standing is None or (standing.edition, standing.threshold, standing.spread) != (mine.edition, mine.threshold, mine.spread):
        return EMPTY
    return read_released(house.root / standing.path)


def _described(house: House, place: Path, released: Released, print_: str, made_at: datetime) -> Manifest:
    mine = house.settings
    gates = {
        name: check(
            house.contracts[name],
            schema,
            place / name,
            snapshot=place.name,
            today=made_at.date(),
            what="release of the relations",
            code="ADHL_GATE_CLOSED",
        )
        for name, schema in TABLES.items()
    }
    highest = int(released.relation.max(initial=0))
    return Manifest(
        snapshot=place.name,
        path=f"snapshots/{place.name}",
        made_at=made_at.isoformat(timespec="seconds"),
        fingerprint=print_,
        shape=SHAPE,
        edition=mine.edition,
        threshold=mine.threshold,
        spread=mine.spread,
        least=[int(least) for least in least_of(mine)[:highest]],
        contracts={contract.id: contract.version for contract in house.contracts.values()},
        rows={name: gates[name]["rows"] for name in TABLES},
        gates=gates,
        files=snapshots.files_in(place),
    )


def _prune(house: House) -> list[str]:
    return snapshots.prune(house.root, read_manifest, keep=house.settings.keep, keep_days=house.settings.keep_days, now=clock.now())
