"""Questions: LookupUser, AuthenticateUser, LookupItem, LookupRequest and LookupVersion. Nothing is changed by them."""

from __future__ import annotations

from connectors.circulation.domain import Hold, Loan, Patron
from connectors.circulation.ncip import schemes
from connectors.circulation.ncip.asking import Asking, amount
from connectors.circulation.ncip.fields import item_fields, user_fields
from connectors.circulation.ncip.problems import MISSING, Problem, because
from connectors.circulation.ncip.writing import VERSION_1, VERSION_2, Node, node, value


async def user(asking: Asking) -> list[Node | None]:
    """LookupUser: is this a patron of ours, is the PIN theirs, and what may the caller know of them? Lånertjek is this."""
    who = asking.who()
    patron = await asking.patron(who)
    tells, body = asking.caller.tells, asking.body
    found: list[Node | None] = [asking.user_id(who.card)]
    if body.has("UserFiscalAccountDesired") and "fees" in tells:
        found.append(node("UserFiscalAccount", amount("AccountBalance", patron.owes, patron.currency)))
    loans = [_loan(asking, loan, patron) for loan in patron.loans] if body.has("LoanedItemsDesired") and "loans" in tells else []
    holds = [_hold(asking, hold) for hold in patron.holds] if body.has("RequestedItemsDesired") and "holds" in tells else []
    if asking.old:
        found += [node("UserTransaction", *holds, *loans)] if holds or loans else []
    else:
        found += [*loans, *holds]
    return [*found, user_fields(asking, patron)]


def _loan(asking: Asking, loan: Loan, patron: Patron) -> Node:
    due = Node("DateDue", asking.stamp(loan.due))
    if asking.old:  # which must have a level, from 1 on, and an amount
        return node(
            "LoanedItem", asking.item_id(loan.item), Node("ReminderLevel", "1"), due, amount("Amount", patron.owes * 0, patron.currency)
        )
    return node("LoanedItem", asking.item_id(loan.item), due, Node("Title", loan.title) if loan.title else None)


def _hold(asking: Asking, hold: Hold) -> Node:
    status = "Available For Pickup" if hold.ready else "In Process"
    return node(
        "RequestedItem",
        asking.request_id(hold.hold),
        asking.item_id(hold.item) if hold.item else None,
        value("RequestType", "Hold", schemes.REQUEST_TYPE),
        value("RequestStatusType", status, schemes.REQUEST_STATUS),
        Node("DatePlaced", asking.stamp(hold.placed or asking.now)),  # which must be there, though not every back end knows it
        value("PickupLocation", hold.pickup) if hold.pickup and not asking.old else None,
        Node("HoldQueuePosition", str(hold.position)) if hold.position > 0 else None,
        Node("Title", hold.title) if hold.title and not asking.old else None,
    )


async def authenticate(asking: Asking) -> list[Node | None]:
    """AuthenticateUser, which 1.x alone has: is the PIN theirs? Without a PIN nobody is authenticated."""
    who = asking.who()
    if who.pin is None:
        raise Problem(MISSING, "AuthenticationInput")
    await asking.patron(who)
    return [asking.user_id(who.card)]


async def item(asking: Asking) -> list[Node | None]:
    """LookupItem: what is this copy, and where?"""
    barcode = asking.item()
    if not barcode:
        raise Problem(MISSING, "ItemId")
    found = await asking.backend.item(barcode)
    if found is None:
        raise because("LookupItem", "ITEM_UNKNOWN")
    return [asking.item_id(barcode), item_fields(asking, found, at_least=("Bibliographic Description", "Circulation Status"))]


async def request(asking: Asking) -> list[Node | None]:
    """LookupRequest: how does this patron's request stand? A request is looked up beside its user, for whom alone it can be found."""
    patron = await asking.patron(asking.who())
    hold = await own_hold(asking, patron)
    if hold is None:
        raise because("LookupRequest", "HOLD_UNKNOWN")
    return [
        asking.request_id(hold.hold),
        asking.item_id(hold.item) if hold.item else None,
        asking.user_id(patron.card),
        value("RequestType", "Hold", schemes.REQUEST_TYPE),
        value("RequestStatusType", "Available For Pickup" if hold.ready else "In Process", schemes.REQUEST_STATUS),
        Node("HoldQueuePosition", str(hold.position)) if hold.position > 0 else None,
        value("PickupLocation", hold.pickup) if hold.pickup and not asking.old else None,
    ]


async def own_hold(asking: Asking, patron: Patron) -> Hold | None:
    """The patron's hold that a message is about: by its number, its item, or its title (control number: two works may be called the same)."""
    if number := asking.request():
        return next((hold for hold in patron.holds if hold.hold == number), None)
    barcode, titles = asking.item(), {asking.title()}
    if barcode:
        waiting = next((hold for hold in patron.holds if hold.item == barcode), None)
        if waiting is not None:
            return waiting
        copy = await asking.backend.item(barcode)
        titles |= {copy.title_id} if copy else set()
    return next((hold for hold in patron.holds if hold.title_id and hold.title_id in titles), None)


async def version(asking: Asking) -> list[Node | None]:
    """LookupVersion: which versions are answered?"""
    return [Node("VersionSupported", VERSION_1), Node("VersionSupported", VERSION_2)]
