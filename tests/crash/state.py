"""What can be seen of an installation: the pinned lake as a reader sees it, and everything a delivery left behind."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from include.engine.delivery import Delivery
from include.engine.engine import Engine
from include.engine.lake import read as lake_read
from include.engine.lake.log import commit_at
from include.engine.lake.read import newest
from include.engine.lake.store import LOG
from include.engine.lake.table import store_of
from include.engine.ledger import deliveries, manifests, quarantined, receipts
from include.engine.quarantine import store
from include.engine.storage.landing import open_landed

FOLDERS = ("landing", "staging", "quarantine", "receipts", "inbox")


def pinned_state(engine: Engine) -> dict[str, list[int]]:
    """Rows, and the sum of their hashes, of each table and partner, at the versions that the ledger's manifest pins."""
    state: dict[str, list[int]] = {}
    for table, version in manifests.latest(engine.ledger).items():
        rows = lake_read.read(engine.lake, table, columns=["partner", "_row_hash"], version=version)
        for partner, hashed in zip(rows.column("partner").to_pylist(), rows.column("_row_hash").to_pylist(), strict=True):
            found = state.setdefault(f"{table}/{partner}", [0, 0])
            found[0] += 1
            found[1] = (found[1] + hashed) % 2**64
    return state


@dataclass(frozen=True)
class Left:
    """Everything that must be the same whatever happened on the way. Multisets are Counters; files are by folder and path, with their content."""

    state: str
    counts: dict[str, int]
    facts: dict[str, Any]
    reason: str | None
    lake: dict[str, Counter[str]]
    pinned_is_newest: bool
    commits: dict[str, int]
    manifests: int
    ends: Counter[str]
    quarantined: Counter[str]
    receipts: Counter[str]
    told: dict[str, Any]
    files: dict[str, Counter[str]]
    landed: str


def left(engine: Engine, id: str) -> Left:
    """What the delivery `id` left, and what lies around."""
    delivery = deliveries.get(engine.ledger, id)
    tables = sorted(path.name for path in (engine.home / "lake").glob("*") if path.is_dir())
    pins = manifests.latest(engine.ledger)
    return Left(
        state=str(delivery.state),
        counts={**asdict(delivery.counts), "balanced": delivery.counts.balanced()},
        facts={name: delivery.facts.get(name) for name in ("filtered", "warnings", "tables", "derived")},
        reason=delivery.reason,
        lake={table: Counter(map(repr, lake_read.read(engine.lake, table, version="newest").to_pylist())) for table in tables},
        pinned_is_newest=all(pins.get(table) == newest(engine.lake, table) for table in tables),
        commits={table: _commits(engine, table, id) for table in tables},
        manifests=len(manifests.of(engine.ledger, id)),
        ends=Counter(
            str(event.state) for event in deliveries.events(engine.ledger, id) if event.kind == "advanced" and event.state != event.before
        ),
        quarantined=_set_aside(engine, id),
        receipts=Counter(
            f"{one.kind} {one.uri.rpartition('/')[2]} {one.language} {bool(one.sent_at)}" for one in receipts.of(engine.ledger, id)
        ),
        told=_told(engine, delivery),
        files={folder: _files(engine.home / folder, engine, id) for folder in FOLDERS},
        landed=_landed(engine, delivery),
    )


def differences(found: Left, wanted: Left, *, judged_again: bool = False) -> list[str]:
    """In words, where two endings differ; `ends` may hold states that a second try went through again. With `judged_again` warnings and the
    tables that have rows may differ, and so may what receipts say of them."""
    said = []
    if judged_again:
        found, wanted = _without_warnings(found), _without_warnings(wanted)
    for field in fields(Left):
        one, other = getattr(found, field.name), getattr(wanted, field.name)
        if field.name == "ends":
            one, other = {k: v for k, v in one.items() if k in _ONCE}, {k: v for k, v in other.items() if k in _ONCE}
        if one != other:
            said.append(f"{field.name}: {_short(one, other)}")
    return said


def _without_warnings(one: Left) -> Left:
    nameless = {
        folder: Counter({name if "archive/" in name else name.split(" ")[0]: count for name, count in names.items()})
        for folder, names in one.files.items()
    }
    ends = Counter({state: count for state, count in one.ends.items() if state != "failed"})
    told = {name: value for name, value in one.told.items() if name not in {"warnings", "counts", "tables"}}
    return replace(one, counts=one.counts | {"warnings": 0}, facts={}, ends=ends, told=told, files=nameless)


_ONCE = ("published", "acknowledged", "blocked", "held", "failed", "duplicate")


def _short(one: Any, other: Any) -> str:
    if isinstance(one, Counter) and isinstance(other, Counter):
        more, fewer = list((one - other).elements()), list((other - one).elements())
        return f"{len(more)} too many {[text[:160] for text in more[:3]]}, {len(fewer)} missing {[text[:160] for text in fewer[:3]]}"
    if isinstance(one, dict) and isinstance(other, dict):
        return "; ".join(
            f"{key}: {_short(one.get(key), other.get(key))}" for key in sorted({*one, *other}) if one.get(key) != other.get(key)
        )
    return f"{one!r} instead of {other!r}"[:300]


def _commits(engine: Engine, table: str, id: str) -> int:
    files, count = store_of(engine.lake, table), 0
    for version in range((newest(engine.lake, table) or 0) + 1):
        commit = commit_at(files, version)
        count += commit is not None and commit.facts.get("transaction") == f"bindery:{id}"
    return count


def _set_aside(engine: Engine, id: str) -> Counter[str]:
    """Each record that was set aside, by its place, why, and the bytes that can be read back."""
    found = quarantined.find(engine.ledger, delivery_id=id, limit=1_000_000)
    kept = {uri: store.read(engine.home, uri, engine.keys) for uri in {one.blob_uri for one in found}}
    seen: Counter[str] = Counter()
    for one in found:
        row = kept[one.blob_uri].slice(one.blob_row, 1).to_pylist()[0]
        raw = hashlib.sha256(row["raw"] or b"").hexdigest()[:12]
        whole = row["record"] == one.record and row["reason"] == one.reason and len(row["raw"] or b"") in {one.length, 0}
        seen[f"{one.step} {one.member} {one.record} {one.offset}+{one.length} {one.reason} {one.column} {one.state} {raw} {whole}"] += 1
    return seen


def _told(engine: Engine, delivery: Delivery) -> dict[str, Any]:
    """The receipt as JSON: the partner's own figures."""
    file = engine.home / "receipts" / delivery.partner / f"{delivery.id}.json"
    return dict(json.loads(file.read_text())) if file.exists() else {}


def _landed(engine: Engine, delivery: Delivery) -> str:
    if "landed" not in delivery.facts:
        return ""
    with open_landed(delivery.facts["landed"]["uri"], engine.keys, home=engine.home) as kept:
        return f"sha256:{hashlib.sha256(kept.read()).hexdigest()}" + (" as noted" if delivery.content_hash else "")


def _files(folder: Path, engine: Engine, id: str) -> Counter[str]:
    """Files by name and content. A sealed file differs at each try: of landed ones the name (which is of the content) is enough, of
    those in quarantine whether the ledger knows them."""
    known = {one.blob_uri.rpartition("file:")[2] for one in quarantined.find(engine.ledger, limit=1_000_000)}
    seen: Counter[str] = Counter()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(engine.home).as_posix()
        if path.is_dir():
            continue
        if folder.name == "quarantine":
            seen["known" if name in known else f"unknown {name}"] += name not in known
        elif folder.name == "landing":
            seen[name] += 1
        else:
            content = path.read_bytes()
            seen[f"{name} {hashlib.sha256(content).hexdigest()[:12]}"] += 1
    return +seen


def data_files(engine: Engine, table: str) -> list[str]:
    """Data files in the table's folder, those that no version names too."""
    return sorted(file.path for file in store_of(engine.lake, table).listing("") if not file.path.startswith(f"{LOG}/"))
