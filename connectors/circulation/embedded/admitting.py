"""Copies of other libraries, new patrons, and copies that leave: what becomes of them in the store."""

from __future__ import annotations

import hashlib

from connectors.circulation.admission import Accept, Admission, Discard, Enrol
from connectors.circulation.domain import Outcome
from connectors.circulation.embedded.decision import Decision, Desk, refused
from connectors.circulation.embedded.direct import Row
from connectors.circulation.embedded.store import Change
from connectors.circulation.embedded.views import hold_view, item_view, patron_view, seconds

KINDS: dict[type, str] = {Accept: "accept", Discard: "discard", Enrol: "enrol"}
MATERIAL = "interlending"
"""The material of another library's copy, for which a library may have rules of its own."""


def decide(desk: Desk, asked: Admission, pin: str | None = None) -> Decision:
    """What comes of it. `pin` is the hash of a new patron's."""
    match asked:
        case Accept():
            return _accept(desk, asked)
        case Discard():
            return _discard(desk, asked)
        case Enrol():
            return _enrol(desk, asked, pin)


def _accept(desk: Desk, asked: Accept) -> Decision:
    """The copy waits for its patron as for any hold, on a title of its own, so that nobody else's hold is filled with it."""
    known = desk.store.get("item", asked.item)
    if known is not None and known["status"] != "withdrawn":
        return refused("ITEM_KNOWN")
    patron = desk.store.patron_of(asked.patron.card) if asked.patron.card else None
    if asked.patron.card and patron is None:
        return refused("CARD_UNKNOWN")
    title = _title(asked.item)
    item: Row = {
        "item": asked.item, "title_id": title, "title": asked.title, "status": "available", "material": MATERIAL, "owner": asked.owner,
        "location": asked.branch, "call_number": "", "properties": "", "magnetic": 0, "hold": "",
    }  # fmt: skip
    if patron is None:
        return Decision(Outcome(True, item=item_view(desk.store, item)), [["item", item]])
    there, placed = asked.pickup in ("", asked.branch), seconds(desk.time_of(asked))
    hold: Row = {
        "hold": "i" + hashlib.sha256(f"{asked.item}\0{placed}".encode()).hexdigest()[:15], "patron": patron["patron"], "title_id": title,
        "item": asked.item, "pickup": asked.pickup or asked.branch, "placed": placed, "expires": None, "ready": int(there),
    }  # fmt: skip
    item |= {"status": "on_hold" if there else "in_transit", "hold": hold["hold"]}
    waiting = patron_view(desk.store, desk.terms, patron, asked.patron.card, whole=False)
    outcome = Outcome(True, item=item_view(desk.store, item), hold=hold_view(hold), waiting=waiting)
    return Decision(outcome, [["hold", hold], ["item", item]])


def _discard(desk: Desk, asked: Discard) -> Decision:
    item = desk.store.get("item", asked.item)
    if item is None or item["status"] == "withdrawn":
        return refused("ITEM_UNKNOWN")
    if desk.store.get("loan", asked.item) is not None:
        return refused("ITEM_ON_LOAN")
    gone = item | {"status": "withdrawn", "hold": ""}
    changes: list[Change] = [["item", gone]]
    own = _title(asked.item)
    for hold in desk.store.queue(item["title_id"]):
        if item["title_id"] == own:
            changes.append(["-hold", hold["hold"]])
        elif hold["item"] == asked.item:  # it goes on waiting, for another copy
            changes.append(["hold", hold | {"item": "", "ready": 0}])
    return Decision(Outcome(True, item=item_view(desk.store, gone)), changes)


def _enrol(desk: Desk, asked: Enrol, pin: str | None) -> Decision:
    card = asked.patron.card
    if desk.store.patron_of(card) is not None:
        return refused("CARD_KNOWN")
    patron: Row = {
        "patron": "n" + hashlib.sha256(f"{card}\0{desk.now.isoformat()}".encode()).hexdigest()[:15], "name": asked.name,
        "category": asked.category, "language": asked.language, "home_library": asked.branch, "valid_until": None,
        "birth_date": asked.birth_date.isoformat() if asked.birth_date else None, "municipality": "", "pin": pin, "block": "",
        "address": asked.address, "email": asked.email, "phone": asked.phone,
    }  # fmt: skip
    outcome = Outcome(True, patron=patron_view(desk.store, desk.terms, patron, card, whole=False))
    return Decision(outcome, [["patron", patron], ["card", {"card": card, "patron": patron["patron"]}]])


def _title(item: str) -> str:
    """The title that a single copy of another library's has to itself."""
    return f"{MATERIAL}:{item}"
