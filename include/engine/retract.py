"""A published delivery taken out of the lake again, as a new version of each of its tables. docs/flows/replay.md"""

from __future__ import annotations

from dataclasses import dataclass

from include.engine.delivery import State
from include.engine.engine import Engine
from include.engine.errors import WrongState
from include.engine.lake.read import newest
from include.engine.lake.retract import Retracted as TableRetracted
from include.engine.lake.retract import retract as retract_table
from include.engine.ledger import audit, claims, deliveries, manifests, publishing
from include.engine.ledger.manifests import Versions


@dataclass(frozen=True)
class Retracted:
    """What a retraction did to each table."""

    delivery: str
    tables: dict[str, TableRetracted]

    def __str__(self) -> str:
        said = (f"{table}: {one.removed:,} removed, {one.restored:,} restored, {one.kept:,} kept" for table, one in self.tables.items())
        return f"{self.delivery} retracted; " + "; ".join(said)


def retract(engine: Engine, delivery_id: str, *, who: str) -> Retracted:
    """Undo a published delivery. Rows that later deliveries changed stay as these left them, and are counted as kept.

    Raises WrongState for a delivery that is not published, LAKE_HISTORY_GONE when the state before it is no longer kept.
    """
    delivery = deliveries.get(engine.ledger, delivery_id)
    if delivery.state not in {State.PUBLISHED, State.ACKNOWLEDGED} or delivery.status == "test":
        raise WrongState(f"a delivery that is {delivery.state} cannot be retracted.", where=delivery.id, do="Only a published one can.")
    token = claims.take(engine.ledger, delivery.id, "retract")
    tables = list(delivery.facts.get("published", {}))
    publishing.begin(engine.ledger, delivery.id, {table: newest(engine.lake, table) for table in tables})
    done = {table: retract_table(engine.lake, table, delivery.id, lambda: claims.check(engine.ledger, token)) for table in tables}
    with engine.ledger.begin() as tx:
        versions = {table: Versions(one.version_before, one.version_after) for table, one in done.items()}
        manifests.pin(engine.ledger, delivery.id, versions, tx=tx)
        claims.advance(engine.ledger, token, State.RETRACTED, tx=tx)
        audit.record(engine.ledger, who, "retract", delivery.id, tx=tx)
    return Retracted(delivery.id, done)
