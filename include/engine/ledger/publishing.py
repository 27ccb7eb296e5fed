"""What is between its first commit and its last: readers stop before it. docs/decisions/lake-commits.md

A delivery that changes several tables says so before the first of its commits, with each table's version at that moment. Until it is pinned,
readers get no later version of these tables: another's publish, which comes after its commits, would show a part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from include.engine import clock
from include.engine.delivery import IN_FLIGHT
from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import delivery, lake_manifest, lake_publishing, lake_version

LONGEST = timedelta(hours=1)
"""So long readers wait for what is not in flight: a retraction that was begun, and that nobody took up again."""
p, v = lake_publishing.c, lake_version.c


def begin(ledger: Ledger, delivery_id: str, tables: Mapping[str, int | None], *, tx: sa.Connection | None = None) -> None:
    """Say that the delivery is about to commit to `tables`, whose versions now are these (None: no such table yet). A retry changes nothing."""
    with ledger.writing(tx) as tx:
        since = tx.execute(sa.select(sa.func.coalesce(sa.func.max(lake_manifest.c.id), 0))).scalar_one()
        same = {"delivery_id": delivery_id, "since": since, "at": clock.now()}
        rows = [same | {"table": table, "before": -1 if version is None else version} for table, version in sorted(tables.items())]
        if rows:
            insert = sqlite.insert(lake_publishing) if ledger.sqlite else postgresql.insert(lake_publishing)
            tx.execute(insert.on_conflict_do_nothing(), rows)


def end(ledger: Ledger, delivery_id: str, *, tx: sa.Connection | None = None) -> None:
    """The delivery is pinned, or has stopped for good."""
    with ledger.writing(tx) as tx:
        tx.execute(sa.delete(lake_publishing).where(p.delivery_id == delivery_id))


def passed(ledger: Ledger, tables: Mapping[str, int], *, tx: sa.Connection | None = None) -> None:
    """Readers must not stop before these versions, whoever is publishing: an erasure has taken the files of older ones away."""
    with ledger.writing(tx) as tx:
        for table, version in sorted(tables.items()):
            tx.execute(sa.update(lake_publishing).where(p.table == table, p.before < version).values(before=version))


def visible(ledger: Ledger, *, tx: sa.Connection | None = None) -> dict[str, int]:
    """The newest pinned version of each table that shows no delivery in part; a table that has none is left out."""
    with ledger.reading(tx) as tx:
        newest, limits, since = _marks(tx)
        if not limits:
            return newest
        later = sa.select(lake_manifest.c.tables).where(lake_manifest.c.id > since).order_by(lake_manifest.c.id)
        _whole([row.tables for row in tx.execute(later)], newest, limits)
        for table in sorted(limits.keys() & newest.keys()):
            below = sa.select(sa.func.max(v.version)).where(v.table == table, v.version <= min(limits[table], newest[table]))
            found = tx.execute(below).scalar()
            newest.pop(table)
            newest |= {} if found is None else {table: found}
        return dict(sorted(newest.items()))


def _marks(tx: sa.Connection) -> tuple[dict[str, int], dict[str, int], int]:
    """Newest pinned version by table; versions that readers must not pass; the manifest that was the last when the first of these began.

    In one statement, for all of it must be seen as of one moment: what is not yet in the second then has no part in the first.
    """
    unfinished = sa.or_(delivery.c.state.in_(IN_FLIGHT), p.at > clock.now() - LONGEST)
    pinned = sa.select(v.table, sa.func.max(v.version).label("version"), sa.literal(-1).label("since")).group_by(v.table)
    begun = sa.select(p.table, sa.func.min(p.before), sa.func.min(p.since)).join(delivery, delivery.c.id == p.delivery_id)
    rows = tx.execute(sa.union_all(pinned, begun.where(unfinished).group_by(p.table))).all()
    newest = {table: version for table, version, since in rows if since < 0}
    limits = {table: version for table, version, since in rows if since >= 0}
    return dict(sorted(newest.items())), limits, min((since for _, _, since in rows if since >= 0), default=0)


def _whole(manifests: list[dict[str, Any]], newest: Mapping[str, int], limits: dict[str, int]) -> None:
    """Lower `limits` until each manifest is on one side of them: what cannot be seen in one table is seen in none of its tables."""
    moved = True
    while moved:
        moved = False
        for tables in manifests:
            changed = {table: one for table, one in tables.items() if one["after"] != one["before"]}
            if all(one["after"] <= limits.get(table, newest.get(table, -1)) for table, one in changed.items()):
                continue
            for table, one in changed.items():
                if limits.get(table, newest.get(table, -1)) >= one["after"]:
                    limits[table], moved = one["after"] - 1, True
