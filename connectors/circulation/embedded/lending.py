"""Checkout, checkin and renewal by the library's rules."""

from __future__ import annotations

from datetime import datetime, timedelta

from connectors.circulation.domain import Asked, Checkin, Checkout, Item, Outcome, Patron, Renew
from connectors.circulation.embedded import undoing
from connectors.circulation.embedded.decision import Decision, Desk, barred, over, refused, too_young
from connectors.circulation.embedded.direct import Row
from connectors.circulation.embedded.store import Change
from connectors.circulation.embedded.views import hold_view, item_view, loan_view, patron_view, seconds, when

UNDO_WITHIN = timedelta(days=1)
"""How long a return can be undone."""


def checkout(desk: Desk, asked: Checkout) -> Decision:
    """Lend an item, unless a rule is against it; what a machine did while it was alone is taken in whatever the rules say."""
    patron, item = desk.store.patron_of(asked.patron.card), desk.store.get("item", asked.item)
    if asked.undo:
        return _undo_checkout(desk, asked, patron, item)
    if patron is None:
        return _alone(asked, "CARD_UNKNOWN")
    if item is None:
        if not asked.no_block:
            return refused("ITEM_UNKNOWN")
        item = _unknown_item(asked.item, asked.branch)
    loan = desk.store.get("loan", asked.item)
    if loan and loan["patron"] == patron["patron"]:
        if asked.no_block and seconds(asked.at) <= loan["loaned_at"]:
            return Decision(_lent(desk, patron, item, asked.patron.card, when(loan["due"])))
        if not (asked.renewal_allowed or asked.no_block):
            return refused("LENT_TO_YOU")
        return _renewed(desk, asked, patron, item, loan, free=asked.no_block)
    against = _against(desk, patron, item, loan)
    if against and not asked.no_block:
        return Decision(Outcome(False, against, item=item_view(desk.store, item), patron=_card(desk, patron, asked.patron.card)))
    return _lend(desk, asked, patron, item, against)


def _against(desk: Desk, patron: Row, item: Row, loan: Row | None) -> str:
    if why := barred(desk, patron):
        return why
    if loan is not None:
        return "ITEM_ON_LOAN"
    if item["status"] in ("lost", "withdrawn"):
        return "ITEM_NOT_FOR_LOAN"
    held = desk.store.get("hold", item["hold"]) if item["hold"] else None
    if held and held["patron"] != patron["patron"]:
        return "ITEM_HELD"
    limits = desk.terms.of(patron["category"], item["material"])
    if too_young(desk, patron, limits):
        return "TOO_YOUNG"
    if limits.loan_days == 0:
        return "ITEM_NOT_FOR_LOAN"
    loans = desk.store.loans_of(patron["patron"])
    most = desk.terms.of(patron["category"]).loans
    of_kind = sum(1 for one in loans if one["material"] == item["material"])
    if (most is not None and len(loans) >= most) or (limits.loans is not None and limits.loans != most and of_kind >= limits.loans):
        return "TOO_MANY_LOANS"
    return ""


def _lend(desk: Desk, asked: Checkout, patron: Row, item: Row, against: str) -> Decision:
    at = desk.time_of(asked)
    days = desk.terms.of(patron["category"], item["material"]).loan_days or 0
    due = asked.due if asked.no_block and asked.due and asked.due > at else desk.terms.due(at, days)
    changes: list[Change] = [
        ["loan", {"item": item["item"], "patron": patron["patron"], "loaned_at": seconds(at), "due": seconds(due), "renewals": 0}],
        ["item", item | {"status": "on_loan", "hold": "", "location": asked.branch or item["location"]}],
    ]
    filled, put_back = _filled(desk, patron, item), _put_back(desk, patron, item)
    changes += [["-hold", hold["hold"]] for hold in filled]
    changes += [["hold", hold | {"ready": 0, "item": ""}] for hold in put_back]
    if filled or put_back:
        changes.append(undoing.as_it_stands(item, patron["patron"], seconds(at), seconds(desk.now), [*filled, *put_back]))
    return Decision(_lent(desk, patron, item, asked.patron.card, due), changes, against)


def _filled(desk: Desk, patron: Row, item: Row) -> list[Row]:
    """The patron's own hold that this loan fills: the one this item waits for, else their first on the title."""
    own = [hold for hold in desk.store.queue(item["title_id"]) if hold["patron"] == patron["patron"] and hold["item"] in ("", item["item"])]
    own.sort(key=lambda hold: hold["hold"] != item["hold"])
    return own[:1]


def _put_back(desk: Desk, patron: Row, item: Row) -> list[Row]:
    """Somebody else's hold that this item was waiting for: it goes on waiting."""
    held = desk.store.get("hold", item["hold"]) if item["hold"] else None
    return [held] if held and held["patron"] != patron["patron"] else []


def _alone(asked: Asked, reason: str, item: Item | None = None) -> Decision:
    """Refused; where a machine has done it already, while it was alone, staff must look at it."""
    return Decision(Outcome(False, reason, item=item), conflict=reason if asked.no_block else "")


def _lent(desk: Desk, patron: Row, item: Row, card: str, due: datetime, *, renewed: bool = False) -> Outcome:
    return Outcome(True, item=item_view(desk.store, item), patron=_card(desk, patron, card), due=due, renewed=renewed)


def _card(desk: Desk, patron: Row, card: str) -> Patron:
    return patron_view(desk.store, desk.terms, patron, card, whole=False)


def _undo_checkout(desk: Desk, asked: Checkout, patron: Row | None, item: Row | None) -> Decision:
    loan = desk.store.get("loan", asked.item)
    if loan is None or item is None or patron is None or loan["patron"] != patron["patron"]:
        return _alone(asked, "NOT_LENT")
    changes: list[Change] = [["-loan", asked.item], *undoing.as_it_stood(desk.store, item, loan)]
    return Decision(Outcome(True, item=item_view(desk.store, item), patron=_card(desk, patron, asked.patron.card)), changes)


def _unknown_item(barcode: str, branch: str) -> Row:
    """A row for an item that a machine lent and nobody knows: a later load of items completes it."""
    return {"item": barcode, "title_id": "", "title": "", "status": "unknown", "material": "", "owner": branch, "location": branch,
            "call_number": "", "properties": "", "magnetic": 0, "hold": ""}  # fmt: skip


def checkin(desk: Desk, asked: Checkin) -> Decision:
    """Take an item back, and say where it goes next: to a hold's pickup, home to its branch, or on the shelf."""
    item = desk.store.get("item", asked.item)
    if item is None:
        return _alone(asked, "ITEM_UNKNOWN")
    loan = desk.store.get("loan", asked.item)
    if asked.undo:
        return _undo_checkin(desk, asked, item, loan)
    at = asked.returned if asked.no_block and asked.returned else desk.now
    if loan and asked.no_block and seconds(at) < loan["loaned_at"]:  # it was lent again since: an old return, told late
        return Decision(Outcome(True, "RETURNED_BEFORE", item=item_view(desk.store, item)), conflict="RETURNED_BEFORE")
    queue = desk.store.queue(item["title_id"])
    late = [one for one in queue if over(desk, one)]
    # A hold that was not fetched in time lets the copy go; one that waits for any copy is passed over, and is its library's to take away.
    changes: list[Change] = [["-hold", one["hold"]] for one in late if one["hold"] == item["hold"]]
    if loan:
        changes += [["-loan", asked.item], ["returned", {name: loan[name] for name in _RETURNED} | {"at": seconds(at)}]]
    branch = asked.branch or item["location"]
    waiting = [one for one in queue if one not in late and one["item"] in ("", asked.item)]
    # The one that it is on its way to, else the first: no two wait for one copy.
    hold = min(waiting, key=lambda one: bool(one["hold"] != item["hold"]), default=None)
    if item["status"] in ("lost", "withdrawn") and not loan:
        return _alone(asked, "ITEM_NOT_FOR_LOAN", item_view(desk.store, item))
    if hold:
        there = hold["pickup"] in ("", branch)
        changes.append(["hold", hold | {"item": asked.item, "ready": int(there)}])
        after = item | {"status": "on_hold" if there else "in_transit", "location": branch, "hold": hold["hold"]}
        reason, route = "HOLD_WAITING", hold["pickup"] or branch
    elif item["owner"] and branch and item["owner"] != branch:
        after = item | {"status": "in_transit", "location": branch, "hold": ""}
        reason, route = "OTHER_BRANCH", item["owner"]
    else:
        after = item | {"status": "available", "location": branch, "hold": ""}
        reason, route = ("", "") if loan else ("NOT_LENT", "")
    changes.append(["item", after])
    outcome = Outcome(
        True,
        reason,
        item=item_view(desk.store, after),
        patron=_by_id(desk, loan["patron"]) if loan else None,
        route=route,
        hold=hold_view(hold) if hold else None,
        waiting=_by_id(desk, hold["patron"]) if hold else None,
    )
    return Decision(outcome, changes)


def _by_id(desk: Desk, patron: str) -> Patron | None:
    row = desk.store.get("patron", patron)
    return patron_view(desk.store, desk.terms, row, "", whole=False) if row else None


_RETURNED = ("item", "patron", "loaned_at", "due", "renewals")


def _undo_checkin(desk: Desk, asked: Checkin, item: Row, loan: Row | None) -> Decision:
    before = desk.store.get("returned", asked.item)
    if loan is not None or before is None or desk.now - when(before["at"]) > UNDO_WITHIN:
        return Decision(Outcome(False, "NOT_RETURNED", item=item_view(desk.store, item)))
    changes: list[Change] = [["loan", {name: before[name] for name in _RETURNED}], ["-returned", asked.item]]
    held = desk.store.get("hold", item["hold"]) if item["hold"] else None
    if held:
        changes.append(["hold", held | {"item": "", "ready": 0}])
    changes.append(["item", item | {"status": "on_loan", "hold": ""}])
    return Decision(Outcome(True, item=item_view(desk.store, item), due=when(before["due"])), changes)


def renew(desk: Desk, asked: Renew) -> Decision:
    """Lend an item longer; without an item, all of the patron's, as far as each may be."""
    patron = desk.store.patron_of(asked.patron.card)
    if patron is None:
        return _alone(asked, "CARD_UNKNOWN")
    if not asked.item:
        return _renew_all(desk, asked, patron)
    item, loan = desk.store.get("item", asked.item), desk.store.get("loan", asked.item)
    if loan is None or (loan["patron"] != patron["patron"] and not asked.third_party):
        return _alone(asked, "NOT_LENT_TO_YOU" if loan else "NOT_LENT")
    return _renewed(desk, asked, patron, item or _unknown_item(asked.item, asked.branch), loan, free=asked.no_block)


def _renew_all(desk: Desk, asked: Renew, patron: Row) -> Decision:
    done: list[str] = []
    not_done: list[str] = []
    changes: list[Change] = []
    for loan in desk.store.loans_of(patron["patron"]):
        item = desk.store.get("item", loan["item"]) or _unknown_item(loan["item"], asked.branch)
        one = _renewed(desk, asked, patron, item, loan, free=False)
        (done if one.outcome.ok else not_done).append(loan["item"])
        changes += one.changes
    card = _card(desk, patron, asked.patron.card)
    return Decision(Outcome(True, patron=card, done=tuple(done), not_done=tuple(not_done), renewed=bool(done)), changes)


def _renewed(desk: Desk, asked: Renew | Checkout, patron: Row, item: Row, loan: Row, *, free: bool) -> Decision:
    """`free`: a machine has done it already, so no rule is asked."""
    limits = desk.terms.of(patron["category"], item["material"])
    against = barred(desk, patron)
    if not against and any(hold["patron"] != patron["patron"] for hold in desk.store.queue(item["title_id"])):
        against = "HELD_BY_OTHERS"
    if not against and limits.renewals is not None and loan["renewals"] >= limits.renewals:
        against = "TOO_MANY_RENEWALS"
    if against and not free:
        return Decision(
            Outcome(
                False, against, item=item_view(desk.store, item), patron=_card(desk, patron, asked.patron.card), due=loan_view(loan).due
            )
        )
    due = asked.due if free and asked.due else desk.terms.due(desk.time_of(asked), limits.loan_days or 0)
    due = max(due, when(loan["due"]))
    row = {name: loan[name] for name in _RETURNED} | {"due": seconds(due), "renewals": loan["renewals"] + 1}
    return Decision(_lent(desk, patron, item, asked.patron.card, due, renewed=True), [["loan", row]], against)
