"""A person taken out of what is kept of deliveries: landed bytes, staged tables and quarantine.

Landed bytes cannot be changed without ceasing to be what the partner delivered, so a delivery that names the person loses its key: its bytes
are then as good as random, wherever a copy of them lies, and it cannot be replayed. Its quarantined records outlive that: those of others are
sealed anew under a key of their own, and the person's are emptied. docs/decisions has the reasons.
"""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from include.engine.crypto.keys import KeyStore
from include.engine.crypto.seal import cut_to_header, key_id_of
from include.engine.delivery import Delivery
from include.engine.erasure.needles import Needles
from include.engine.errors import BinderyError, KeyDestroyed
from include.engine.ledger import deliveries, quarantined
from include.engine.ledger import keys as key_rows
from include.engine.ledger.database import Ledger
from include.engine.ledger.quarantined import Fate
from include.engine.quarantine import store
from include.engine.spool import staging
from include.engine.storage.archive import Member, members
from include.engine.storage.landing import open_landed
from include.engine.storage.uri import parse

PUBLIC = frozenset({"bibliographic", "authority", "holding", "item", "oai_record"})
"""Tables of deliveries that are not about patrons: there, a short patron id is only a number."""
LISTS = frozenset({"crm_prospect"})
"""Tables of the library's own lists of people who are no patrons."""
DELIVERY_KEY = "delivery"
QUARANTINE_KEY = "quarantine"
_ALL = 10_000_000


@dataclass
class Kept:
    """What was found and done, by delivery id: quarantined records emptied; keys destroyed; `unread` could not be searched, and went too."""

    deliveries: list[str] = field(default_factory=list)
    records: dict[str, int] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def erase(home: Path, ledger: Ledger, keys: KeyStore, partner: str, needles: Needles, number: str) -> Kept:
    """Destroy the keys of the partner's deliveries that name the person; may be done again, and then finds nothing."""
    kept, by_bytes = Kept(), defaultdict(list)
    for delivery in deliveries.find(ledger, partner=partner, limit=_ALL):
        by_bytes[_landed(delivery)].append(delivery)
    for uri, group in by_bytes.items():
        blobs = {delivery.id: _named(home, keys, delivery, needles) for delivery in group}
        named = uri is not None and _names(home, keys, uri, group[0], needles, kept)
        if not named and not any(rows for found in blobs.values() for rows in found.values()):
            continue
        for delivery in group:
            _close(home, ledger, keys, delivery, uri, blobs[delivery.id], kept, f"erasure {number}")
    return _in_all(ledger, kept, f"erasure {number}")


def _in_all(ledger: Ledger, kept: Kept, why: str) -> Kept:
    """What all tries of this erasure have done, as the ledger has it."""
    gone = [row for row in key_rows.find(ledger, alive=False, why=why) if row.purpose in {DELIVERY_KEY, QUARANTINE_KEY}]
    records: Counter[str] = Counter()
    for delivery_id in {row.subject for row in gone}:
        found = quarantined.find(ledger, delivery_id=delivery_id, state=Fate.ERASED, limit=_ALL)
        records[delivery_id] = sum(one.note == why for one in found)
    return Kept(sorted({row.subject for row in gone}), dict(records), sorted(row.key_id for row in gone), kept.unread)


def close(home: Path, ledger: Ledger, keys: KeyStore, delivery: Delivery, why: str) -> list[str]:
    """Destroy the keys of one delivery's landed bytes; its quarantined records stay, under a key of their own. Returns the ids destroyed."""
    kept = Kept()
    blobs: dict[str, list[int]] = {uri: [] for uri, _ in _readable(home, keys, delivery)}
    _close(home, ledger, keys, delivery, _landed(delivery), blobs, kept, why)
    return kept.keys


def _landed(delivery: Delivery) -> str | None:
    landed = delivery.facts.get("landed")
    return str(landed["uri"]) if landed else None


def _names(home: Path, keys: KeyStore, uri: str, delivery: Delivery, needles: Needles, kept: Kept) -> bool:
    """Whether landed bytes hold the person. Bytes that cannot be unpacked cannot be cleared of it either."""
    wanted = needles.public() if delivery.table in PUBLIC else needles.of_lists() if delivery.table in LISTS else needles
    try:
        with open_landed(uri, keys, home=home) as raw:
            found = cast(Generator[Member, None, None], members(Path(delivery.path or "").name, cast(BinaryIO, raw)))
            with closing(found) as unpacked:  # before its stream is
                return any(wanted.found_in_stream(member.stream) for member in unpacked)
    except KeyDestroyed:
        return False
    except BinderyError:
        if not parse(uri).local(home).exists():
            return False
        kept.unread.append(delivery.id)
        return True


def _named(home: Path, keys: KeyStore, delivery: Delivery, needles: Needles) -> dict[str, list[int]]:
    """The delivery's files in quarantine, and the rows in each that hold the person."""
    wanted = needles.public() if delivery.table in PUBLIC else needles.of_lists() if delivery.table in LISTS else needles.all()
    found: dict[str, list[int]] = {}
    for uri, rows in _readable(home, keys, delivery):
        texts = zip(rows.column("raw").to_pylist(), rows.column("detail").to_pylist(), strict=True)
        found[uri] = [n for n, (raw, detail) in enumerate(texts) if wanted.found_in((raw or b"") + b"\n" + (detail or "").encode())]
    return found


def _readable(home: Path, keys: KeyStore, delivery: Delivery) -> Iterator[tuple[str, pa.Table]]:
    for uri in store.blobs(home, delivery.partner, delivery.id):
        with suppress(KeyDestroyed):
            yield uri, store.read(home, uri, keys)


def _close(
    home: Path, ledger: Ledger, keys: KeyStore, delivery: Delivery, uri: str | None, blobs: dict[str, list[int]], kept: Kept, why: str
) -> None:
    old = set(keys.find(DELIVERY_KEY, delivery.id)) | set(keys.find(QUARANTINE_KEY, delivery.id))
    if blobs:
        new = keys.create(QUARANTINE_KEY, delivery.id)
        for blob, rows in blobs.items():
            store.reseal(home, blob, keys, new, erase=rows)
            _empty(ledger, delivery, blob, rows, why)
        kept.records[delivery.id] = sum(len(rows) for rows in blobs.values())
    landed = parse(uri).local(home) if uri is not None else None
    living = [key_id for key_id in sorted(old | (_key_of(landed) if landed else set())) if _alive(keys, key_id)]
    keys.destroy_all(living, why=why)
    if landed:
        _entomb(landed)
    for part in (home / "landing" / delivery.partner / delivery.id).glob("part-*.sealed"):  # pages of a fetch that never ended
        part.unlink(missing_ok=True)
    shutil.rmtree(staging(home, delivery.partner, delivery.id), ignore_errors=True)
    if living:
        kept.deliveries.append(delivery.id)
        kept.keys += living


def _empty(ledger: Ledger, delivery: Delivery, blob: str, rows: list[int], why: str) -> None:
    wanted = set(rows)
    if wanted:
        found = quarantined.find(ledger, delivery_id=delivery.id, blob_uri=blob, limit=_ALL)
        quarantined.set_state(ledger, [one.id for one in found if one.blob_row in wanted], Fate.ERASED, note=why)


def _key_of(path: Path) -> set[str]:
    try:
        with path.open("rb") as raw:
            return {key_id_of(raw)}
    except (FileNotFoundError, BinderyError):
        return set()


def _entomb(path: Path) -> None:
    """Cut a sealed file down to its header: whoever opens it is told that its key was destroyed, and why."""
    with suppress(FileNotFoundError, BinderyError), path.open("r+b") as raw:
        cut_to_header(raw)


def _alive(keys: KeyStore, key_id: str) -> bool:
    try:
        keys.get(key_id)
    except KeyDestroyed:
        return False
    return True
