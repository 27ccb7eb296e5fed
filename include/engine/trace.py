"""Where something went: a control number, an ISBN, a patron, a file or its bytes, and every delivery and hand-off it passed through.

In by the ledger and by the rows' own mark of the delivery that last changed them, back through the lake's versions as far as these are kept.
Out by what was settled record by record, and by the versions of the lake that each outbound delivery read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import sqlalchemy as sa

from include.engine.delivery import Delivery
from include.engine.engine import Engine
from include.engine.errors import BinderyError
from include.engine.lake import read as lake_read
from include.engine.lake.table import PARTITION, exists
from include.engine.ledger import deliveries, manifests
from include.engine.ledger.deliveries import from_row
from include.engine.ledger.schema import delivery, outbound_part
from include.engine.outbound.settled import TABLE as SETTLED
from include.engine.privacy.pseudonym import LENGTH, Pseudonyms, subject

Partners = Collection[str] | None
Direction = Literal["in", "out"]
MOST = 200
"""Deliveries and rows of a table that are followed; what has more is no single thing."""
STEPS = 6
"""Versions of a row that are followed back; of what is long, or seldom changes by itself, fewer."""
SHORTER = {"loan": 2, "item": 2, "hold": 2, "fee": 2}
BY_CONTROL_NUMBER = ("bibliographic", "authority", "holding", "item", "loan", "hold", "oai_record")
BY_PATRON = ("patron", "loan", "hold", "fee", "crm_activity")


@dataclass
class Passage:
    """One delivery that something passed through. `tables`: of the lake, with the record's number in the file where it is known."""

    delivery: Delivery
    direction: Direction
    tables: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    read: bool = False  # it went out for certain (False), or the delivery read a version of the lake that has it (True)


@dataclass(frozen=True)
class Traced:
    """Passages in the order of their arrival. `versions`: by table, the first version of the lake that has it. `cut`: more were found."""

    passages: tuple[Passage, ...] = ()
    versions: Mapping[str, int] = field(default_factory=dict)
    cut: bool = False


def hashed(engine: Engine, sha256: str, partners: Partners) -> Traced:
    """Deliveries whose bytes as they came, or one of whose parts as it went out, have this SHA-256 (hexadecimal)."""
    wanted = sha256.lower().removeprefix("sha256:")
    with engine.ledger.read() as tx:
        came = _found(tx, partners, delivery.c.content_hash == f"sha256:{wanted}")
        # A replay reads the bytes that its origin landed; a mended record's are its own, and have a hash of their own.
        again = _found(tx, partners, delivery.c.origin.in_([one.id for one in came]) & delivery.c.content_hash.is_(None))
        came += [one for one in again if "mended" not in one.facts]
        went = _found(tx, partners, delivery.c.id.in_(sa.select(outbound_part.c.delivery_id).where(outbound_part.c.sha256 == wanted)))
    return _traced([*came, *went])


def file_named(engine: Engine, name: str, partners: Partners) -> Traced:
    """Deliveries of a file of this name, in whatever folder, or that sent a part so named."""
    like = "%/" + name.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    fits = sa.or_(delivery.c.path == name, delivery.c.path.like(like, escape="!"))
    with engine.ledger.read() as tx:
        came = _found(tx, partners, fits)
        went = _found(tx, partners, delivery.c.id.in_(sa.select(outbound_part.c.delivery_id).where(outbound_part.c.name == name)))
    return _traced([*came, *went])


def control_number(engine: Engine, number: str, partners: Partners) -> Traced:
    """Everything in the lake under this control number."""
    return _rows(engine, partners, {table: ds.field("control_number") == number for table in BY_CONTROL_NUMBER})


def isbn(engine: Engine, number: str, partners: Partners) -> Traced:
    """The titles with this ISBN, and everything under their control numbers."""
    wanted = number.replace("-", "").replace(" ", "").upper()
    numbers: set[str] = set()
    if exists(engine.lake, "bibliographic"):
        for batch in _scan(engine, "bibliographic", partners, None, ["control_number", "isbn"]).to_batches():
            flat = pc.list_flatten(batch.column("isbn"))
            at = pc.list_parent_indices(batch.column("isbn")).filter(pc.equal(flat, wanted))
            numbers |= set(batch.column("control_number").take(at).to_pylist())
            if len(numbers) > MOST:
                break
    if not numbers:
        return Traced()
    wanted_numbers = pa.array(sorted(numbers), pa.string())
    return _rows(engine, partners, {table: ds.field("control_number").isin(wanted_numbers) for table in BY_CONTROL_NUMBER})


def card_pseudonym(engine: Engine, partner: str, card: str) -> str | None:
    """The pseudonym of a card's number; None where the partner has no key, for then none was ever made. The number is kept nowhere."""
    if not card.strip() or not engine.keys.find("pseudonym-lake", subject(partner, 1)):
        return None
    return Pseudonyms(engine.keys, partner, "lake").one(card.strip(), "card")


def pseudonym(engine: Engine, value: str, partners: Partners) -> Traced:
    """Everything in the lake about the patron with this pseudonym, or with a card that has it."""
    known = {value.lower()}
    if len(value) == LENGTH and exists(engine.lake, "patron_alias"):
        found = _scan(engine, "patron_alias", partners, ds.field("alias") == value.lower(), ["patron"]).to_table()
        known |= set(found.column("patron").drop_null().to_pylist())
    wanted = pa.array(sorted(known), pa.string())
    where = {table: ds.field("patron").isin(wanted) for table in BY_PATRON}
    names = {partner: _in_crm(engine, partner, known) for partner in partners or ()}
    return _rows(engine, partners, where | {"patron_alias": ds.field("alias").isin(wanted)}, names)


def merged(traces: Iterable[Traced]) -> Traced:
    """Several as one."""
    found = list(traces)
    passages: dict[str, Passage] = {}
    versions: dict[str, int] = {}
    for one in found:
        for passage in one.passages:
            known = passages.setdefault(passage.delivery.id, passage)
            for table, records in passage.tables.items():
                known.tables[table] |= records
            known.read &= passage.read
        for table, version in one.versions.items():
            versions[table] = min(version, versions.get(table, version))
    ordered = sorted(passages.values(), key=lambda passage: passage.delivery.arrival)
    return Traced(tuple(ordered), versions, any(one.cut for one in found))


def _in_crm(engine: Engine, partner: str, patrons: Iterable[str]) -> set[str]:
    """What the patrons' records are called in the table `settled` by a partner's CRM sync: by pseudonyms of a purpose of its own."""
    if not engine.keys.find("pseudonym-crm", subject(partner, 1)):
        return set()
    names = Pseudonyms(engine.keys, partner, "crm")
    return {f"{kind}/{names.one(patron)}" for patron in patrons for kind in ("contact", "account")}


def _rows(engine: Engine, partners: Partners, where: Mapping[str, ds.Expression], settled: Mapping[str, set[str]] | None = None) -> Traced:
    found: dict[str, Passage] = {}
    first: dict[tuple[str, str], int] = {}  # by partner and table: the first version that has it
    loans: dict[str, set[str]] = defaultdict(set, {partner: set(names) for partner, names in (settled or {}).items()})
    cut = False
    for table, condition in where.items():
        if not exists(engine.lake, table):
            continue
        version: int | None = None
        for step in range(SHORTER.get(table, STEPS)):
            rows = _read(engine, table, partners, condition, version)
            cut |= rows is not None and rows.num_rows == MOST
            fresh = [] if rows is None else _enter(engine, found, table, rows)
            if step == 0 and rows is not None and table == "loan":
                for partner, loan, event, event_id in zip(
                    *(rows.column(n).to_pylist() for n in ("partner", "loan_id", "event", "event_id")), strict=True
                ):
                    loans[partner].add(f"loan {loan}" if event == "loan" else f"{event} {loan} {event_id}")
            before = [_version(engine, one.delivery, table) for one in fresh]
            for passage, (_, after) in zip(fresh, before, strict=True):
                if after is not None:
                    key = (passage.delivery.partner, table)
                    first[key] = min(after, first.get(key, after))
            earlier = [one for one, _ in before if one is not None]
            if not earlier:
                break
            version = min(earlier)
    for partner, names in loans.items():
        _sent(engine, found, partner, names)
    _that_read(engine, found, first)
    versions: dict[str, int] = {}
    for (_, table), after in first.items():
        versions[table] = min(after, versions.get(table, after))
    return Traced(tuple(sorted(found.values(), key=lambda one: one.delivery.arrival)), versions, cut)


def _scan(engine: Engine, table: str, partners: Partners, condition: ds.Expression | None, columns: list[str]) -> ds.Scanner:
    mine = None if partners is None else ds.field(PARTITION).isin(pa.array(sorted(partners), pa.string()))
    where = mine if condition is None else condition if mine is None else mine & condition
    return lake_read.scanner(engine.lake, table, partner=None, columns=columns, version=None, where=where)


def _read(engine: Engine, table: str, partners: Partners, condition: ds.Expression, version: int | None) -> pa.Table | None:
    """The first rows that fit, at a version; None where that is no longer kept."""
    mine = condition if partners is None else ds.field(PARTITION).isin(pa.array(sorted(partners), pa.string())) & condition
    columns = ["partner", "_delivery", "_record", *(("loan_id", "event", "event_id") if table == "loan" else ())]
    try:
        scanner = lake_read.scanner(engine.lake, table, partner=None, columns=columns, version=version, where=mine)
        return scanner.head(MOST)
    except BinderyError:
        return None


def _enter(engine: Engine, found: dict[str, Passage], table: str, rows: pa.Table) -> list[Passage]:
    """The deliveries that the rows name, those first that are new for this table."""
    fresh: dict[str, Passage] = {}
    for id, record in zip(rows.column("_delivery").to_pylist(), rows.column("_record").to_pylist(), strict=True):
        if id is None:
            continue
        if id not in found:
            try:
                one = deliveries.get(engine.ledger, id)
            except BinderyError:
                continue
            found[id] = Passage(one, "out" if "pins" in one.facts else "in")
        if table not in found[id].tables:
            fresh[id] = found[id]
        if record is not None:
            found[id].tables[table].add(record)
        else:
            found[id].tables[table] |= set()
    return list(fresh.values())


def _version(engine: Engine, one: Delivery, table: str) -> tuple[int | None, int | None]:
    """The table's version before and after a delivery."""
    for manifest in manifests.of(engine.ledger, one.id):
        if table in manifest.tables:
            return manifest.tables[table].before, manifest.tables[table].after
    return None, None


def _sent(engine: Engine, found: dict[str, Passage], partner: str, names: set[str]) -> None:
    """The outbound deliveries that settled the records of these names."""
    if not names or not exists(engine.lake, SETTLED):
        return
    fits = ds.field("record").isin(pa.array(sorted(names), pa.string())) & (ds.field("outcome") == "sent")
    rows = lake_read.scanner(engine.lake, SETTLED, partner=partner, columns=["_delivery"], version=None, where=fits).head(MOST)
    for id in set(rows.column("_delivery").drop_null().to_pylist()) - set(found):
        one = deliveries.get(engine.ledger, id)
        found[id] = Passage(one, "out")


def _that_read(engine: Engine, found: dict[str, Passage], first: Mapping[tuple[str, str], int]) -> None:
    """Of each outbound flow the first delivery that read a version of the lake which has it."""
    c = delivery.c
    for partner in {partner for partner, _ in first}:
        since = min(one.delivery.arrival for one in found.values() if one.delivery.partner == partner)
        query = sa.select(delivery).where(c.partner == partner, c.table == "", c.arrival > since, c.published_at.is_not(None))
        with engine.ledger.read() as tx:
            rows = [from_row(row) for row in tx.execute(query.order_by(c.arrival).limit(5 * MOST))]
        done: set[str] = {one.delivery.flow for one in found.values() if one.direction == "out" and one.delivery.partner == partner}
        for one in rows:
            pins = one.facts.get("pins", {})
            tables = [table for (whose, table), version in first.items() if whose == partner and pins.get(table, -1) >= version]
            if tables and one.flow not in done and one.id not in found:
                done.add(one.flow)
                found[one.id] = Passage(one, "out", read=True)
                for table in tables:
                    found[one.id].tables[table] |= set()


def _found(tx: sa.Connection, partners: Partners, condition: sa.ColumnElement[bool]) -> list[Delivery]:
    mine = sa.true() if partners is None else delivery.c.partner.in_(sorted(partners))
    query = sa.select(delivery).where(condition, mine).order_by(delivery.c.arrival.desc()).limit(MOST)
    return [from_row(row) for row in tx.execute(query)]


def _traced(found: Sequence[Delivery]) -> Traced:
    passages = {one.id: Passage(one, "out" if "pins" in one.facts else "in") for one in found}
    ordered = sorted(passages.values(), key=lambda one: one.delivery.arrival)
    return Traced(tuple(ordered), cut=len(found) >= MOST)
