"""Interlending and new patrons: AcceptItem, DeleteItem (2.x alone) and CreateUser, where the back end can take them in."""

from __future__ import annotations

from connectors.circulation.admission import Accept, Admission, Admitting, Discard, Enrol
from connectors.circulation.domain import Credentials, Outcome
from connectors.circulation.ncip import schemes
from connectors.circulation.ncip.asking import Asking
from connectors.circulation.ncip.changes import Nodes, Stands, done
from connectors.circulation.ncip.problems import MISSING, UNSUPPORTED, Problem
from connectors.circulation.ncip.reading import Part
from connectors.circulation.ncip.writing import Node, node, value


async def accept_item(asking: Asking) -> Nodes:
    """AcceptItem: another library's copy is here, for a user or for nobody yet. Without a barcode of its own it gets one from its request."""
    number, card = asking.request(), asking.card()
    if not number:
        raise Problem(MISSING, "RequestId")
    item = asking.item() or f"ILL{number}"
    described = asking.body.one("ItemOptionalFields", "BibliographicDescription") or Part("")
    owner = asking.body.said("ItemId", "AgencyId") or asking.message.header.said("FromAgencyId", "AgencyId")
    request = Accept(
        **asking.said(number, item, card),  # type: ignore[arg-type]
        item=item,
        title=described.said("Title"),
        owner=owner,
        patron=Credentials(card),
        pickup=asking.body.said("PickupLocation"),
    )

    async def stands(outcome: Outcome) -> Outcome | None:
        found = await asking.backend.item(item)
        return outcome if found is not None and found.status != "withdrawn" else None

    await _admitted(asking, request, stands)
    theirs = asking.body.one("RequestId", "AgencyId")
    agency = value("AgencyId", theirs.text, asking.doors.scheme) if theirs else asking.agency()
    return [node("RequestId", agency, Node("RequestIdentifierValue", number)), asking.item_id(item)]


async def delete_item(asking: Asking) -> Nodes:
    """DeleteItem: a copy has left, such as one that went back to its library."""
    item = asking.item()
    if not item:
        raise Problem(MISSING, "ItemId")

    async def stands(outcome: Outcome) -> Outcome | None:
        found = await asking.backend.item(item)
        return outcome if found is None or found.status == "withdrawn" else None

    await _admitted(asking, Discard(**asking.said(item), item=item), stands)  # type: ignore[arg-type]
    return [asking.item_id(item)]


async def create_user(asking: Asking) -> Nodes:
    """CreateUser: a new patron, of the category that the caller's settings say. The card is the one that the message names."""
    who = asking.who()
    name = _name(asking.body.one("NameInformation"))
    if not name:
        raise Problem(MISSING, "NameInformation")
    born = asking.moment("DateOfBirth", earliest=1850)
    told = {code: language for language, code in schemes.LANGUAGES.items()}
    request = Enrol(
        **asking.said(who.card),  # type: ignore[arg-type]
        patron=who,
        category=asking.caller.category,
        language=told.get(asking.body.said("UserLanguage").lower(), ""),
        birth_date=born.date() if born else None,
        name=name,
        address=next((text for text in map(_postal, asking.body.every("UserAddressInformation")) if text), ""),
        email=_electronic(asking, "mailto"),
        phone=_electronic(asking, "tel"),
    )

    async def stands(outcome: Outcome) -> Outcome | None:
        return outcome if await asking.backend.patron(Credentials(who.card), whole=False) else None

    await _admitted(asking, request, stands)
    return [asking.user_id(who.card)]


async def _admitted(asking: Asking, request: Admission, stands: Stands) -> None:
    if not isinstance(asking.house, Admitting):
        raise Problem(UNSUPPORTED, asking.message.service)
    await done(asking, request, stands, asking.house.admit)


def _name(found: Part | None) -> str:
    person = found.one("PersonalNameInformation") if found else None
    if found is None or person is None:
        return found.said("OrganizationNameInformation", "OrganizationName") if found else ""
    parts = person.one("StructuredPersonalUserName") or Part("")
    return person.said("UnstructuredPersonalUserName") or " ".join(filter(None, (parts.said("GivenName"), parts.said("Surname"))))


def _postal(found: Part) -> str:
    """An address as lines."""
    structured = found.one("PhysicalAddress", "StructuredAddress")
    if structured is not None:
        return "\n".join(part.text for part in structured.parts if part.text)
    return found.said("PhysicalAddress", "UnstructuredAddress", "UnstructuredAddressData")


def _electronic(asking: Asking, kind: str) -> str:
    for found in asking.body.every("UserAddressInformation"):
        if found.said("ElectronicAddress", "ElectronicAddressType").lower() == kind:
            return found.said("ElectronicAddress", "ElectronicAddressData").removeprefix(f"{kind}:")
    return ""
