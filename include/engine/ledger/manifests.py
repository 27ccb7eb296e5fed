"""Which versions of the lake's tables belong together: one manifest a delivery, which readers pin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from include.engine import clock
from include.engine.ledger import publishing
from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import lake_manifest, lake_version


@dataclass(frozen=True)
class Versions:
    """A table's version before and after a delivery. They are equal when nothing was to be changed; `before` is None for a new table."""

    before: int | None
    after: int


@dataclass(frozen=True)
class Manifest:
    """The tables that one publish, retraction or maintenance (`delivery_id` None) changed together."""

    id: int
    delivery_id: str | None
    at: datetime
    tables: Mapping[str, Versions]


def pin(ledger: Ledger, delivery_id: str | None, tables: Mapping[str, Versions], *, tx: sa.Connection | None = None) -> Manifest:
    """Enter a manifest and make its versions the ones that readers get. A second try with the same manifest finds the first. What the
    delivery has noted as begun (`publishing.begin`) is over.

    Give `tx`, the transaction of `claims.advance`, so that it is fenced.
    """
    with ledger.writing(tx) as tx:
        ledger.lock(tx, f"manifest {delivery_id}")
        if delivery_id is not None:
            publishing.end(ledger, delivery_id, tx=tx)
            for old in of(ledger, delivery_id, tx=tx):
                if old.tables == tables:
                    return old
        at = clock.now()
        plain = {name: {"before": one.before, "after": one.after} for name, one in tables.items()}
        row = {"delivery_id": delivery_id, "at": at, "tables": plain}
        number = tx.execute(sa.insert(lake_manifest).values(row).returning(lake_manifest.c.id)).scalar_one()
        versions = [{"table": name, "version": one.after, "delivery_id": delivery_id, "at": at} for name, one in sorted(tables.items())]
        if versions:
            insert = sqlite.insert(lake_version) if ledger.sqlite else postgresql.insert(lake_version)
            tx.execute(insert.on_conflict_do_nothing(), versions)
        return Manifest(number, delivery_id, at, dict(tables))


def latest(ledger: Ledger, *, tx: sa.Connection | None = None) -> dict[str, int]:
    """The versions that readers get: of each table the newest pinned one, before whatever is between its commits (`publishing`).

    Delta's versions only grow, so it holds whatever was pinned before it.
    """
    return publishing.visible(ledger, tx=tx)


def of(ledger: Ledger, delivery_id: str, *, tx: sa.Connection | None = None) -> list[Manifest]:
    """The manifests of a delivery, in order: its publish, and its retraction if there was one."""
    query = sa.select(lake_manifest).where(lake_manifest.c.delivery_id == delivery_id).order_by(lake_manifest.c.id)
    with ledger.reading(tx) as tx:
        return [
            Manifest(row.id, row.delivery_id, row.at, {name: Versions(**one) for name, one in row.tables.items()})
            for row in tx.execute(query)
        ]


def changed_by(ledger: Ledger, table: str, version: int, *, tx: sa.Connection | None = None) -> str | None:
    """The delivery that made a version of a table; None for maintenance and for a version that was never pinned."""
    v = lake_version.c
    with ledger.reading(tx) as tx:
        found: str | None = tx.execute(sa.select(v.delivery_id).where(v.table == table, v.version == version)).scalar_one_or_none()
        return found
