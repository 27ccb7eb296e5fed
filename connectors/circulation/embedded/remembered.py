"""What was answered once, kept so that the same can be said again when the same is asked again: the column `outcome` of the table `done`."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from connectors.circulation.domain import Outcome
from connectors.circulation.embedded.direct import Row
from connectors.circulation.embedded.store import Store
from connectors.circulation.embedded.terms import Terms
from connectors.circulation.embedded.views import hold_view, item_view, patron_view
from connectors.circulation.plain import iso

_JSON = msgspec.json.Encoder()


class _Said(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    reason: str = ""
    item: str = ""
    patron: str = ""
    card: str = ""
    due: str = ""
    renewed: bool = False
    fee: str = ""
    route: str = ""
    done: tuple[str, ...] = ()
    not_done: tuple[str, ...] = ()
    transaction: str = ""
    hold: str = ""
    waiting: str = ""


def remembered(outcome: Outcome) -> str:
    """An outcome that was ok as JSON; patron, item and hold by their keys alone."""
    item, patron = outcome.item, outcome.patron
    said = _Said(
        outcome.reason,
        item.item if item else "",
        patron.patron if patron else "",
        patron.card if patron else "",
        iso(outcome.due) if outcome.due else "",
        outcome.renewed,
        str(outcome.fee) if outcome.fee is not None else "",
        outcome.route,
        outcome.done,
        outcome.not_done,
        outcome.transaction,
        outcome.hold.hold if outcome.hold else "",
        outcome.waiting.patron if outcome.waiting else "",
    )
    return _JSON.encode(said).decode()


def as_before(store: Store, terms: Terms, known: Row) -> Outcome:
    """The outcome of a row of `done`, with patron, item and hold as they are now."""
    said = msgspec.json.decode(known["outcome"], type=_Said)
    item = store.get("item", said.item)
    patron = store.get("patron", said.patron)
    holds = store.holds_of(said.waiting or said.patron) if said.hold else ()
    placed = next((one for one in holds if one["hold"] == said.hold), None)
    waiting = store.get("patron", said.waiting) if said.waiting else None
    return Outcome(
        ok=True,
        reason=said.reason,
        item=item_view(store, item) if item else None,
        patron=patron_view(store, terms, patron, said.card, whole=False) if patron else None,
        due=datetime.fromisoformat(said.due) if said.due else None,
        renewed=said.renewed,
        fee=Decimal(said.fee) if said.fee else None,
        route=said.route,
        hold=hold_view(placed) if placed else None,
        waiting=patron_view(store, terms, waiting, "", whole=False) if waiting else None,
        done=said.done,
        not_done=said.not_done,
        transaction=said.transaction,
        again=True,
    )
