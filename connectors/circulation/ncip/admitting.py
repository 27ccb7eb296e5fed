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
    given, surname = _name(asking.body.one("NameInformation"))
    if not surname:
        raise Problem(MISSING, "NameInformation")
    street, postal_code, city = next((one for one in map(_postal, asking.body.every("UserAddressInformation")) if any(one)), ("", "", ""))
    born = asking.moment("DateOfBirth", earliest=1850)
    told = {code: language for language, code in schemes.LANGUAGES.items()}
    request = Enrol(
        **asking.said(who.card),  # type: ignore[arg-type]
        patron=who,
        category=asking.caller.category,
        language=told.get(asking.body.said("UserLanguage").lower(), ""),
        birth_date=born.date() if born else None,
        given=given,
        surname=surname,
        street=street,
        postal_code=postal_code,
        city=city,
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


def _name(found: Part | None) -> tuple[str, str]:
    """Given name and surname. Of a name in one piece the last word is the surname, or what stands before a comma."""
    person = found.one("PersonalNameInformation") if found else None
    if found is None or person is None:
        return "", found.said("OrganizationNameInformation", "OrganizationName") if found else ""
    parts = person.one("StructuredPersonalUserName") or Part("")
    if surname := parts.said("Surname"):
        return parts.said("GivenName"), surname
    whole = person.said("UnstructuredPersonalUserName") or parts.said("GivenName")
    last, comma, first = (text.strip() for text in whole.partition(","))
    if comma:
        return first, last
    first, _, last = last.rpartition(" ")
    return first, last


def _postal(found: Part) -> tuple[str, str, str]:
    """Street, postal code and city. What is said in other words, or in one piece, is the street."""
    structured = found.one("PhysicalAddress", "StructuredAddress")
    if structured is None:
        return found.said("PhysicalAddress", "UnstructuredAddress", "UnstructuredAddressData"), "", ""
    code, city = structured.said("PostalCode"), structured.said("Locality")
    street = "\n".join(part.text for part in structured.parts if part.text and part.name not in ("postalcode", "locality"))
    if code and not city:
        code, _, city = code.partition(" ")  # Danish messages have both in one element
    return street, code, city


def _electronic(asking: Asking, kind: str) -> str:
    for found in asking.body.every("UserAddressInformation"):
        if found.said("ElectronicAddress", "ElectronicAddressType").lower() == kind:
            return found.said("ElectronicAddress", "ElectronicAddressData").removeprefix(f"{kind}:")
    return ""
