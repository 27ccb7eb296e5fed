"""Services that change something: loans, returns, renewals, requests, payments and blocks. Each goes through the back end's journal.

An answer may be lost on its way, and the same message come again. The back end then says that it was done before (`again`). Where things
still stand as the answer says, it is given again; where something else has happened since, the message is a new one, and is done anew.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

from msgspec import structs

from connectors.circulation.backend import Away
from connectors.circulation.domain import Asked, Block, Checkin, Checkout, Credentials, Outcome, Pay, Renew, Request, Reserve
from connectors.circulation.ncip import schemes
from connectors.circulation.ncip.asking import MONEY, Asking
from connectors.circulation.ncip.fields import item_fields, user_fields
from connectors.circulation.ncip.lookups import own_hold
from connectors.circulation.ncip.problems import MISSING, UNSUPPORTED, Problem, because
from connectors.circulation.ncip.writing import Node, node, value

WAITS = "AWAY_ACCEPTED"
"""A change that is accepted and waits for the library system, which does not know of it yet."""
_SUM = re.compile(r"-?[0-9]{1,12}")
"""Python's `int` would also take 1_000 and the digits of other scripts; money is read as it is written, or not at all."""
Nodes = list[Node | None]
Stands = Callable[[Outcome], Awaitable[Outcome | None]]
R = TypeVar("R", bound=Asked)


async def checkout(asking: Asking) -> Nodes:
    """CheckOutItem: lend an item."""
    who, item = await _user(asking), _item(asking)
    due = asking.moment("DesiredDateDue")
    request = Checkout(**asking.said(who.card, item), patron=who, item=item, due=due)  # type: ignore[arg-type]

    async def stands(outcome: Outcome) -> Outcome | None:
        return await _lent(asking, outcome, who.card, item)

    outcome = await _done(asking, request, stands)
    until = Node("DateDue", asking.stamp(outcome.due)) if outcome.due else node("IndeterminateLoanPeriodFlag")
    return [asking.item_id(item), asking.user_id(who.card), until, *await _told(asking, outcome)]


async def checkin(asking: Asking) -> Nodes:
    """CheckInItem: take an item back, and say where it goes next. The user is not told to whoever may know nothing of users."""
    item = _item(asking)
    said = asking.said(item)
    request = Checkin(**said, item=item, returned=said["at"] if said["no_block"] else None)  # type: ignore[arg-type]

    async def stands(outcome: Outcome) -> Outcome | None:
        found = await asking.backend.item(item)
        return outcome if found is None or found.status != "on_loan" else None

    outcome = await _done(asking, request, stands)
    return [asking.item_id(item), _route(asking, outcome), *await _told(asking, structs.replace(outcome, patron=None))]


def _route(asking: Asking, outcome: Outcome) -> Node | None:
    if not outcome.route:
        return None
    instance = node("LocationNameInstance", Node("LocationNameLevel", "1"), Node("LocationNameValue", outcome.route))
    place = node("Location", value("LocationType", "Permanent Location", schemes.LOCATION_TYPE), node("LocationName", instance))
    hold = value("RequestType", "Hold", schemes.REQUEST_TYPE) if outcome.reason == "HOLD_WAITING" else None
    return node("RoutingInformation", Node("RoutingInstructions", outcome.reason), node("Destination", place), hold)


async def renew(asking: Asking) -> Nodes:
    """RenewItem: lend an item longer. Asked twice on one day it is done once: the second time would bring no later day."""
    who, item = await _user(asking), _item(asking)
    today = asking.now.astimezone(asking.zone).date()
    said = asking.said(who.card, item, today)
    request = Renew(**said, patron=who, item=item, due=asking.moment("DesiredDateDue"))  # type: ignore[arg-type]

    async def stands(outcome: Outcome) -> Outcome | None:
        return await _lent(asking, outcome, who.card, item)

    outcome = await _done(asking, request, stands)
    due = Node("DateDue", asking.stamp(outcome.due)) if outcome.due else None
    return [asking.item_id(item), None if asking.old else asking.user_id(who.card), due, *await _told(asking, outcome)]


async def _lent(asking: Asking, outcome: Outcome, card: str, item: str) -> Outcome | None:
    """The outcome of a loan with the day that the item is due now, as long as this patron has it."""
    patron = await asking.backend.patron(Credentials(card))
    loan = next((loan for loan in patron.loans if loan.item == item), None) if patron else None
    return structs.replace(outcome, due=loan.due) if loan else None


async def request_item(asking: Asking) -> Nodes:
    """RequestItem: a hold on a title, or on the title of an item. The answer's RequestId is the library's own."""
    who, item, title = await _user(asking), asking.item(), asking.title()
    if not item and not title:
        raise Problem(MISSING, "BibliographicId")
    pickup, expires = asking.body.said("PickupLocation"), asking.moment("NeedBeforeDate") or asking.moment("PickupExpiryDate")
    said = asking.said(who.card, item, title)
    request = Reserve(**said, patron=who, change="add", item=item, title=title, pickup=pickup, expires=expires)  # type: ignore[arg-type]

    ours = _without_request(asking)

    async def stands(outcome: Outcome) -> Outcome | None:
        patron = await asking.backend.patron(Credentials(who.card))
        found = await own_hold(ours, patron) if patron else None
        return structs.replace(outcome, hold=found) if found else outcome if outcome.reason == WAITS else None

    outcome = await _done(asking, request, stands)
    hold = outcome.hold
    scope = value("RequestScopeType", "Bibliographic Item" if title or not item else "Item", schemes.REQUEST_SCOPE)
    kind = value("RequestType", "Hold", schemes.REQUEST_TYPE)
    place = asking.item_id(item) if hold is None and item else asking.request_id(hold.hold if hold else asking.request() or request.key)
    return [place, asking.user_id(who.card), kind, scope, *await _told(asking, outcome)]


async def cancel(asking: Asking) -> Nodes:
    """CancelRequestItem: a hold is wanted no more. It is named by its number, its item or its title."""
    who = await _user(asking)
    number, item, title = asking.request(), asking.item(), asking.title()
    if not (number or item or title):
        raise Problem(MISSING, "RequestId")
    patron = await asking.backend.patron(Credentials(who.card))
    hold = await own_hold(asking, patron) if patron else None
    request = Reserve(
        **asking.said(who.card, number, item, title),  # type: ignore[arg-type]
        patron=who,
        change="delete",
        item=(hold.item if hold else "") or item,
        title=(hold.title_id if hold else "") or title,
        hold=number or (hold.hold if hold else ""),
    )

    async def stands(outcome: Outcome) -> Outcome | None:
        return outcome if hold is None or outcome.reason == WAITS else None

    outcome = await _done(asking, request, stands)
    gone = asking.request_id(number or (hold.hold if hold else "")) if number or hold else asking.item_id(item or title)
    return [gone, asking.user_id(who.card), *await _told(asking, outcome)]


def _without_request(asking: Asking) -> Asking:
    """The message without the asking side's own number for the request, by which nothing can be found here."""
    parts = tuple(part for part in asking.body.parts if part.name != "requestid")
    return replace(asking, message=replace(asking.message, body=replace(asking.body, parts=parts)))


async def pay(asking: Asking) -> Nodes:
    """CreateUserFiscalTransaction: money that was taken. It must have a number, or else a payment sent again could not be told from a second."""
    who, fiscal = await _user(asking), asking.body.one("FiscalTransactionInformation")
    if fiscal is None:
        raise Problem(MISSING, "FiscalTransactionInformation")
    if fiscal.said("FiscalActionType").lower() != "payment":
        raise Problem(UNSUPPORTED, "FiscalActionType")
    number = fiscal.said("FiscalTransactionReferenceId", "FiscalTransactionIdentifierValue")
    if not number:
        raise Problem(MISSING, "FiscalTransactionReferenceId")
    said_sum = fiscal.said("Amount", "MonetaryValue")
    if not _SUM.fullmatch(said_sum):
        raise Problem("Invalid Amount", "MonetaryValue")
    sum_ = Decimal(said_sum) * MONEY
    currency, fee = (
        fiscal.said("Amount", "CurrencyCode"),
        fiscal.said("RelatedFiscalTransactionReferenceId", "FiscalTransactionIdentifierValue"),
    )
    said = asking.said(who.card, number, sum_, currency)
    request = Pay(**said, patron=who, amount=sum_, currency=currency, fee=fee, transaction=number)  # type: ignore[arg-type]
    await _done(asking, request, _always)
    reference = node("FiscalTransactionReferenceId", asking.agency(), Node("FiscalTransactionIdentifierValue", number))
    return [asking.user_id(who.card), reference]


async def update_user(asking: Asking) -> Nodes:
    """UpdateUser: set the block of a machine (AddUserFields with BlockOrTrap), or lift it (DeleteUserFields). Nothing else is changed here."""
    who = await _user(asking)
    added, taken = asking.body.one("AddUserFields"), asking.body.one("DeleteUserFields")
    changes = [*(added.parts if added else ()), *(taken.parts if taken else ())]
    if not changes or any(part.name != "blockortrap" for part in changes) or (added and taken):
        raise Problem(UNSUPPORTED if changes else MISSING, "AddUserFields")
    blocked = added is not None
    request = Block(**asking.said(who.card, blocked), patron=who, blocked=blocked)  # type: ignore[arg-type]

    async def stands(outcome: Outcome) -> Outcome | None:
        patron = await asking.backend.patron(Credentials(who.card))
        return outcome if patron is not None and ("CARD_BLOCKED_BY_TERMINAL" in patron.blocks) is blocked else None

    await _done(asking, request, stands)
    return [asking.user_id(who.card)]


async def _user(asking: Asking) -> Credentials:
    """The user of a change, with their PIN where one was given; one that cannot be checked is let pass or not, as the caller's settings say."""
    who = asking.who()
    if who.pin is not None and not asking.caller.card_alone:
        await asking.patron(who)
    return who


def _item(asking: Asking) -> str:
    if not asking.item():
        raise Problem(MISSING, "ItemId")
    return asking.item()


async def _always(outcome: Outcome) -> Outcome | None:
    return outcome


async def _done(asking: Asking, request: Request, stands: Stands) -> Outcome:
    return await done(asking, request, stands, asking.backend.perform)


async def done(asking: Asking, request: R, stands: Stands, do: Callable[[R], Awaitable[Outcome]]) -> Outcome:
    """Do it, once. `stands` says how something that was done before stands now, or None when it does not; Problem for what is refused."""
    outcome = await do(request)
    if outcome.again:
        try:
            now = await stands(outcome)
        except Away:  # nobody can say how it stands: what was answered then is answered again
            now = outcome
        outcome = now or await do(structs.replace(request, key=secrets.token_hex(16)))
    if not outcome.ok:
        problem = because(asking.message.service, outcome.reason)
        if outcome.reason in ("PIN_WRONG", "PIN_LOCKED"):
            problem.element = "AuthenticationInput"
        raise problem
    return outcome


async def _told(asking: Asking, outcome: Outcome) -> Nodes:
    item = await asking.backend.item(asking.item()) if asking.body.has("ItemElementType") else None
    user = user_fields(asking, outcome.patron) if outcome.patron and asking.body.has("UserElementType") else None
    return [item_fields(asking, item) if item else None, user]
