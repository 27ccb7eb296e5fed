"""Which service is answered by what, and what is answered when nothing can be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from connectors.circulation.backend import Away
from connectors.circulation.doors import SERVICES, Doors
from connectors.circulation.ncip import admitting, changes, lookups
from connectors.circulation.ncip.asking import Asking
from connectors.circulation.ncip.problems import LATER, SERVICE_REFUSED, UNKNOWN_AGENCY, UNKNOWN_SERVICE, UNSUPPORTED, Problem, described
from connectors.circulation.ncip.reading import Message
from connectors.circulation.ncip.writing import Node, node, value, written

ANSWERS: dict[str, Callable[[Asking], Awaitable[list[Node | None]]]] = {
    "AcceptItem": admitting.accept_item,
    "AuthenticateUser": lookups.authenticate,
    "CancelRequestItem": changes.cancel,
    "CheckInItem": changes.checkin,
    "CheckOutItem": changes.checkout,
    "CreateUser": admitting.create_user,
    "CreateUserFiscalTransaction": changes.pay,
    "DeleteItem": admitting.delete_item,
    "LookupItem": lookups.item,
    "LookupRequest": lookups.request,
    "LookupUser": lookups.user,
    "LookupVersion": lookups.version,
    "RenewItem": changes.renew,
    "RequestItem": changes.request_item,
    "UpdateUser": changes.update_user,
}
KNOWN = frozenset(SERVICES) | {
    "CancelRecallItem", "CreateAgency", "CreateItem", "DeleteUser", "LookupAgency",
    "LookupItemSet", "RecallItem", "ReportCirculationStatusChange", "SendUserNotice", "UndoCheckOutItem", "UpdateAgency",
    "UpdateCirculationStatus", "UpdateItem", "UpdateRequestItem",
}  # fmt: skip
"""Every service that a message can ask for; what is not in ANSWERS is answered as not supported."""
_OLD_ALONE, _NEW_ALONE = frozenset({"AuthenticateUser"}), frozenset({"DeleteItem", "DeleteUser", "LookupItemSet"})
"""Services that 1.x alone has, and 2.x alone: the other version has no answer to put a problem in."""


async def answered(asking: Asking) -> tuple[bytes, str]:
    """The answer to a message, and how it went: ok, refused, away."""
    service = asking.message.service
    try:
        if service not in KNOWN:
            raise Problem(UNKNOWN_SERVICE, service if service.isidentifier() else "")
        if service not in ANSWERS or service in (_NEW_ALONE if asking.old else _OLD_ALONE):
            raise Problem(UNSUPPORTED, service)
        if service not in asking.caller.services:
            raise Problem(SERVICE_REFUSED, service)
        if not asking.doors.is_ours(agency_of(asking.message, "ToAgencyId")):
            raise Problem(UNKNOWN_AGENCY, "ToAgencyId")
        return response(asking.doors, asking.message, await ANSWERS[service](asking)), "ok"
    except Problem as problem:
        return refusal(asking.doors, asking.message, problem), "away" if problem.kind == LATER else "refused"
    except Away:
        return refusal(asking.doors, asking.message, Problem(LATER, "", "AWAY")), "away"


def agency_of(message: Message, which: str) -> str:
    """FromAgencyId or ToAgencyId of a message; '' when it has none."""
    return message.header.said(which, "AgencyId") or message.header.said(which)


def response(doors: Doors, message: Message, parts: list[Node | None]) -> bytes:
    """A message with the answer in it."""
    if message.service == "LookupVersion":  # whose message belongs to no version: it is written as 1.x has it
        found = node("LookupVersionResponse", *_agencies(doors, message), *parts)
        return written(node("NCIPVersionMessage", found), message.version, old=True)
    found = node(f"{message.service}Response", node("ResponseHeader", *_agencies(doors, message)), *parts)
    return written(node("NCIPMessage", found), message.version, old=message.old)


def refusal(doors: Doors, message: Message | None, problem: Problem) -> bytes:
    """A message with a problem in it. What cannot be answered in 1.x (there is no place for it) is answered in 2.02."""
    if message is not None and message.service in KNOWN - (_NEW_ALONE if message.old else _OLD_ALONE) - {"LookupVersion"}:
        return response(doors, message, [described(problem, message.service, old=message.old)])
    service = message.service if message is not None else ""
    version = message.version if message is not None and not message.old else ""
    return written(node("NCIPMessage", described(problem, service, old=False)), version, old=False)


def _agencies(doors: Doors, message: Message) -> tuple[Node, Node]:
    """From us, to whoever asked; a caller that does not say who it is, is answered as nobody in particular."""
    caller = value("AgencyId", agency_of(message, "FromAgencyId"), doors.scheme)
    return node("FromAgencyId", value("AgencyId", doors.agency, doors.scheme)), node("ToAgencyId", caller)
