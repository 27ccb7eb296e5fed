"""Holds, payments, blocks and notes by the library's rules."""

from __future__ import annotations

import asyncio
import hashlib
from decimal import Decimal

from connectors.circulation.domain import MOST_PAID, Block, Hold, Note, Outcome, Pay, Reserve
from connectors.circulation.embedded.decision import Decision, Desk, barred, over, refused
from connectors.circulation.embedded.direct import Row
from connectors.circulation.embedded.store import Change, Store
from connectors.circulation.embedded.views import hold_view, item_view, patron_view, seconds

KEPT_CARD = "CARD_BLOCKED_BY_TERMINAL"


def reserve(desk: Desk, asked: Reserve) -> Decision:
    """Place, change or cancel a hold on a title. An item's barcode stands for its title."""
    patron = desk.store.patron_of(asked.patron.card)
    if patron is None:
        return refused("CARD_UNKNOWN")
    holds = desk.store.holds_of(patron["patron"])
    if asked.hold and asked.change != "add":
        own = next((hold for hold in holds if hold["hold"] == asked.hold), None)
        title = own["title_id"] if own else ""
    else:
        item = desk.store.get("item", asked.item) if asked.item else None
        title = item["title_id"] if item else asked.title
        if not title:
            return refused("ITEM_UNKNOWN")
        own = next((hold for hold in holds if hold["title_id"] == title), None)
    if asked.change == "add":
        return _add(desk, asked, patron, title, holds, own)
    if own is None:
        return refused("HOLD_UNKNOWN")
    if asked.change == "delete":
        return Decision(_held(desk, asked, patron, None), [["-hold", own["hold"]], *_shelf(desk, own)])
    changed = _row(own) | {"pickup": asked.pickup or own["pickup"], "expires": seconds(asked.expires) if asked.expires else own["expires"]}
    return Decision(_held(desk, asked, patron, hold_view(own | changed)), [["hold", changed]])


async def of_no_title(store: Store, asked: Reserve) -> bool:
    """Whether a hold is asked for on a title of which the library has no copy, and nobody waits for one: it would never be filled."""
    if asked.change != "add" or not asked.title or store.get("item", asked.item) or store.queue(asked.title):
        return False
    if store.patron_of(asked.patron.card) is None or (asked.key and store.get("done", asked.key)):
        return False
    return not await asyncio.to_thread(store.has_title, asked.title)


def _add(desk: Desk, asked: Reserve, patron: Row, title: str, holds: list[Row], own: Row | None) -> Decision:
    if own is not None:
        return refused("HELD_BY_YOU")
    if why := barred(desk, patron):
        return refused(why)
    limit = desk.terms.of(patron["category"]).holds
    if limit is not None and len(holds) >= limit:
        return refused("TOO_MANY_HOLDS")
    placed = seconds(desk.time_of(asked))
    row: Row = {
        "hold": "b" + hashlib.sha256(f"{patron['patron']}\0{title}\0{placed}".encode()).hexdigest()[:15],
        "patron": patron["patron"],
        "title_id": title,
        "item": "",
        "pickup": asked.pickup or patron["home_library"],
        "placed": placed,
        "expires": seconds(asked.expires) if asked.expires else None,
        "ready": 0,
    }
    view = hold_view(row | {"before": len(desk.store.queue(title))})
    return Decision(_held(desk, asked, patron, view), [["hold", row]])


def _held(desk: Desk, asked: Reserve, patron: Row, hold: Hold | None) -> Outcome:
    return Outcome(True, patron=patron_view(desk.store, desk.terms, patron, asked.patron.card, whole=False), hold=hold)


def _row(hold: Row) -> Row:
    return {name: value for name, value in hold.items() if name != "before"}


def _shelf(desk: Desk, hold: Row) -> list[Change]:
    """The item that waited for a hold that is gone waits for the next one, or for nobody."""
    item = desk.store.get("item", hold["item"]) if hold["item"] else None
    if item is None or item["hold"] != hold["hold"]:
        return []
    waiting = [one for one in desk.store.queue(hold["title_id"]) if one["hold"] != hold["hold"] and not one["item"] and not over(desk, one)]
    if not waiting:
        return [["item", item | {"hold": "", "status": "available"}]]
    after = waiting[0]
    there = hold["ready"] and after["pickup"] in ("", item["location"])  # else it is on its way to another shelf
    status = item["status"] if there else "in_transit"
    return [["hold", after | {"item": item["item"], "ready": int(there)}], ["item", item | {"hold": after["hold"], "status": status}]]


def pay(desk: Desk, asked: Pay) -> Decision:
    """Write down money that was taken: off the fee that is named, else off the oldest. What is left over is for staff to see."""
    patron = desk.store.patron_of(asked.patron.card)
    if patron is None:
        return Decision(Outcome(False, "CARD_UNKNOWN"), conflict="PAID_BY_NOBODY")
    if not 0 < asked.amount <= MOST_PAID:
        return refused("AMOUNT_WRONG")
    if asked.currency and asked.currency != desk.terms.currency:
        return refused("CURRENCY_WRONG")
    left = int(asked.amount.scaleb(2).to_integral_value())
    fees = desk.store.fees_of(patron["patron"])
    if asked.fee:
        fees = [fee for fee in fees if fee["fee"] == asked.fee]
    changes: list[Change] = []
    for fee in fees:
        if left and fee["outstanding"] > 0:
            paid = min(left, fee["outstanding"])
            left -= paid
            changes.append(["fee", fee | {"outstanding": fee["outstanding"] - paid}] if paid < fee["outstanding"] else ["-fee", fee["fee"]])
    view = patron_view(desk.store, desk.terms, patron, asked.patron.card, whole=False)
    outcome = Outcome(True, "PAID_TOO_MUCH" if left else "", patron=view, fee=Decimal(left).scaleb(-2), transaction=asked.transaction)
    return Decision(outcome, changes, "PAID_TOO_MUCH" if left else "")


def block(desk: Desk, asked: Block) -> Decision:
    """Block a card, or lift a block that a terminal has set; a block that staff have set stays."""
    patron = desk.store.patron_of(asked.patron.card)
    if patron is None:
        return refused("CARD_UNKNOWN")
    codes = [code for code in patron["block"].split() if code != KEPT_CARD] + ([KEPT_CARD] if asked.blocked else [])
    after = patron | {"block": " ".join(codes)}
    view = patron_view(desk.store, desk.terms, after, asked.patron.card, whole=False)
    return Decision(Outcome(True, patron=view), [["patron", after]], KEPT_CARD if asked.blocked else "")


def note(desk: Desk, asked: Note) -> Decision:
    """Keep what a machine says of an item."""
    item = desk.store.get("item", asked.item)
    if item is None:
        return refused("ITEM_UNKNOWN")
    after = item | {"properties": asked.properties}
    return Decision(Outcome(True, item=item_view(desk.store, after)), [["item", after]])
