"""What a viewer may read, as part of a query: every read function takes the viewer's partners, and can give nothing of others."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from include.engine.delivery import Delivery
from include.engine.errors import UnknownDelivery
from include.engine.ledger import Ledger, deliveries
from include.engine.ledger.schema import delivery

LARGEST = 2**63 - 1
"""The largest whole number that the ledger can be asked for; a page that takes one says so, and answers 404 above it."""
Partners = Collection[str] | None
"""Ids of the partners that may be read; None is all of them."""


def within(partners: Partners, column: sa.ColumnElement[Any] = delivery.c.partner) -> sa.ColumnElement[bool]:
    """The condition that a row is of one of `partners`."""
    return sa.true() if partners is None else column.in_(sorted(partners))


def one_delivery(ledger: Ledger, id: str, partners: Partners, *, tx: sa.Connection | None = None) -> Delivery:
    """The delivery `id`. UnknownDelivery also for one of a partner that may not be read: nobody learns that it exists."""
    found = deliveries.get(ledger, id, tx=tx)
    if partners is not None and found.partner not in partners:
        raise UnknownDelivery("there is no such delivery in the ledger.", where=id)
    return found
