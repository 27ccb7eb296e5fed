"""Publish: the gated rows become a new version of each lake table, each in one fenced commit; the ledger pins them together."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial

import sqlalchemy as sa

from include.engine.delivery import Delivery, State, Token
from include.engine.engine import Engine
from include.engine.failpoints import point
from include.engine.inbound.connector import Inbound
from include.engine.inbound.ending import ending
from include.engine.inbound.gate import GatedRows
from include.engine.inbound.others import others
from include.engine.inbound.spared import spared
from include.engine.inbound.work import Outcome, nothing_to_do, turn
from include.engine.lake.migrate import ensure
from include.engine.lake.plan import plan
from include.engine.lake.publish import Published, published_before
from include.engine.lake.publish import publish as publish_table
from include.engine.lake.read import newest
from include.engine.ledger import claims, manifests, publishing, quarantined
from include.engine.ledger.manifests import Versions
from include.engine.ledger.quarantined import Fate


def publish(engine: Engine, delivery_id: str, connector: Inbound) -> Outcome:
    """Publish a gated delivery. A partner in status `test` gets only the figures of what would have been. Done twice, it happens once."""
    delivery, token = turn(engine, delivery_id, "publish", {State.GATED})
    if token is None:
        return nothing_to_do(delivery)
    point("publish.before")
    with ending(engine, token, lambda: delivery.counts):
        if delivery.status == "test":
            return _rehearse(engine, delivery, token, connector)
        done = _done_before(engine, delivery, token)
        # What the delivery brings along goes first: a reader that sees a loan sees the item that stands in for it.
        for table in sorted(delivery.facts["tables"], key=lambda name: name == delivery.table):
            done[table] = publish_table(
                engine.lake,
                engine.contract(table),
                delivery.partner,
                delivery.id,
                GatedRows.of(engine, delivery, table).reader,
                connector.mode(delivery, table),
                lambda: claims.check(engine.ledger, token),
                spared=spared(engine, delivery, table),
                others=partial(others, engine, delivery, table),
            )
            point("publish.table")
        point("publish.committed")
        own = done.get(delivery.table)
        counts = delivery.counts if own is None else replace(
            delivery.counts, added=own.added, changed=own.changed, deleted=own.deleted, unchanged=own.unchanged,
            placeholders=sum(one.placeholders for one in done.values()),
        )  # fmt: skip
        with engine.ledger.begin() as tx:
            manifests.pin(
                engine.ledger, delivery.id, {table: Versions(one.version_before, one.version_after) for table, one in done.items()}, tx=tx
            )
            facts = {table: asdict(one) for table, one in done.items()}
            published = claims.advance(
                engine.ledger, token, State.PUBLISHED, tx=tx, counts=counts, published=facts, reason=None, message=None
            )
            if delivery.origin:
                _resolve(engine, delivery, tx)
    point("publish.recorded")
    changed = tuple(table for table, one in done.items() if one.added or one.changed or one.deleted)
    words = "; ".join(f"{table}: {one.added:,} added, {one.changed:,} changed, {one.deleted:,} deleted" for table, one in done.items())
    return Outcome(delivery.id, published.state, words or "nothing to publish", changed)


def _done_before(engine: Engine, delivery: Delivery, token: Token) -> dict[str, Published]:
    """Tables that an earlier try committed to and that this one has no rows for: what is unknown to the lake is known when it is judged
    again (a placeholder is there already). They belong to the manifest; so each try first notes where it is going to commit."""
    begun = set(delivery.facts.get("publishing", ())) - set(delivery.facts["tables"])
    found = {table: published_before(engine.lake, table, delivery.id) for table in sorted(begun)}
    tables = sorted({*begun, *delivery.facts["tables"]})
    for table in tables:  # what a contract cannot take over is known before anything is committed
        ensure(engine.lake, engine.contract(table))
    with engine.ledger.begin() as tx:
        claims.note(engine.ledger, token, publishing=tables, tx=tx)
        if len(tables) > 1:
            publishing.begin(engine.ledger, delivery.id, {table: newest(engine.lake, table) for table in tables}, tx=tx)
    return {table: one for table, one in found.items() if one is not None}


def _rehearse(engine: Engine, delivery: Delivery, token: Token, connector: Inbound) -> Outcome:
    """What would have been, for the receipt of a partner in status `test`."""
    would = {}
    for table in delivery.facts["tables"]:
        rows, mode = GatedRows.of(engine, delivery, table), connector.mode(delivery, table)
        kept, theirs = spared(engine, delivery, table), others(engine, delivery, table)
        planned = plan(engine.lake, engine.contract(table), delivery.partner, rows.reader, mode, spared=kept, others=theirs)
        would[table] = {"added": planned.added, "changed": planned.changed, "deleted": planned.deleted, "unchanged": planned.unchanged}
    claims.note(engine.ledger, token, would=would)
    return Outcome(delivery.id, delivery.state, f"status test, nothing is published; it would have been {would}")


def _resolve(engine: Engine, delivery: Delivery, tx: sa.Connection) -> None:
    """The origin's set-aside records that this replay took in again are no longer open; of one that a person mended, that record alone."""
    asked = delivery.origin_filter or {}
    if (mended_one := delivery.facts.get("mended")) is not None:
        if not quarantined.find(engine.ledger, delivery_id=delivery.id, limit=1, tx=tx):
            quarantined.set_state(engine.ledger, [mended_one["quarantined"]], Fate.REPLAYED, note=delivery.id, tx=tx)
        return
    still = {(one.member, one.record) for one in quarantined.find(engine.ledger, delivery_id=delivery.id, limit=10_000_000, tx=tx)}
    found = quarantined.find(
        engine.ledger,
        delivery_id=delivery.origin,
        reason=asked.get("reason"),
        record=asked.get("record"),
        state=Fate.OPEN,
        limit=10_000_000,
        tx=tx,
    )
    mended = [one.id for one in found if (one.member, one.record) not in still]
    quarantined.set_state(engine.ledger, mended, Fate.REPLAYED, note=delivery.id, tx=tx)
