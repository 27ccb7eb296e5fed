"""Deliveries by what is asked of them, a page at a time, newest first."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from include.engine.delivery import IN_FLIGHT, Delivery, State
from include.engine.ledger.deliveries import from_row
from include.engine.ledger.schema import delivery
from plugins.board.reads.scope import Partners, within

c = delivery.c
GROUPS: Mapping[str, frozenset[State]] = {"stopped": frozenset({State.BLOCKED, State.FAILED}), "flight": IN_FLIGHT}
"""What may be asked for beside a state's own name."""
PAGE = 50


def listed(
    tx: sa.Connection,
    partners: Partners,
    *,
    partner: str = "",
    flow: str = "",
    table: str = "",
    state: str = "",
    contract: str = "",
    before: int | None = None,
    limit: int = PAGE,
) -> list[Delivery]:
    """Those that fit all that is asked; `before` is the arrival of the last one of the page before. Of those that stopped, without the dismissed."""
    asked = {"partner": partner, "flow": flow, "table": table}
    query = sa.select(delivery).where(within(partners), *(c[name] == value for name, value in asked.items() if value))
    if state:
        query = query.where(c.state.in_(sorted(GROUPS.get(state) or {state})))
    if state == "stopped":
        query = query.where(c.dismissed_at.is_(None))
    if before is not None:
        query = query.where(c.arrival < before)
    return [from_row(row) for row in tx.execute(query.order_by(c.arrival.desc()).limit(limit))]
