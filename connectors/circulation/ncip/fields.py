"""What is told of a patron and of an item, beside their identifiers: as far as it is asked for, and as the caller may know it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time

from connectors.circulation.domain import Item, Patron
from connectors.circulation.ncip import schemes
from connectors.circulation.ncip.asking import Asking
from connectors.circulation.ncip.writing import Node, node, value


def user_fields(asking: Asking, patron: Patron) -> Node | None:
    """UserOptionalFields, or None when there is nothing to tell. The municipality is told whenever the caller may know it."""
    ids = [_visible(asking, patron)] if asking.wants("Visible User Id") or asking.wants("User Id") else []
    parts = [*_name(asking, patron), *_addresses(asking, patron), *_birth(asking, patron), *_language(asking, patron),
             *_privilege(asking, patron), *_blocks(asking, patron)]  # fmt: skip
    every = [*ids, *parts] if asking.old else [*parts, *ids]
    return node("UserOptionalFields", *every) if every else None


def _tells(asking: Asking, what: str, kind: str) -> bool:
    return what in asking.caller.tells and asking.wants(kind)


def _visible(asking: Asking, patron: Patron) -> Node:
    if not asking.old:
        return asking.user_id(patron.card)
    kind = value("VisibleUserIdentifierType", "Barcode", schemes.VISIBLE_USER_IDENTIFIER)
    return node("VisibleUserId", asking.agency(), kind, Node("VisibleUserIdentifier", patron.card))


def _name(asking: Asking, patron: Patron) -> Iterator[Node]:
    if _tells(asking, "name", "Name Information") and patron.name:
        yield node("NameInformation", node("PersonalNameInformation", Node("UnstructuredPersonalUserName", patron.name)))


def _addresses(asking: Asking, patron: Patron) -> Iterator[Node]:
    if "municipality" in asking.caller.tells and patron.municipality:
        # Danish practice: the number of the municipality stands in District (DBC's own NCIP messages have it there).
        yield _postal(node("StructuredAddress", Node("District", patron.municipality)))
    if not _tells(asking, "address", "User Address Information"):
        return
    if patron.address:
        kind = value("UnstructuredAddressType", "Newline-Delimited Text", schemes.UNSTRUCTURED_ADDRESS)
        yield _postal(node("UnstructuredAddress", kind, Node("UnstructuredAddressData", patron.address)))
    for text, uri in ((patron.email, "mailto"), (patron.phone, "tel")):
        if text:
            yield node(
                "UserAddressInformation", value("UserAddressRoleType", "Multi-Purpose", schemes.USER_ADDRESS_ROLE),
                node("ElectronicAddress", value("ElectronicAddressType", uri, schemes.ELECTRONIC_ADDRESS), Node("ElectronicAddressData", text)),
            )  # fmt: skip


def _postal(address: Node) -> Node:
    kind = value("PhysicalAddressType", "Postal Address", schemes.PHYSICAL_ADDRESS)
    return node(
        "UserAddressInformation", value("UserAddressRoleType", "Home", schemes.USER_ADDRESS_ROLE), node("PhysicalAddress", address, kind)
    )


def _birth(asking: Asking, patron: Patron) -> Iterator[Node]:
    if _tells(asking, "birth_date", "Date Of Birth") and patron.birth_date:
        yield Node("DateOfBirth", datetime.combine(patron.birth_date, time()).isoformat())


def _language(asking: Asking, patron: Patron) -> Iterator[Node]:
    if _tells(asking, "language", "User Language") and patron.language in schemes.LANGUAGES:
        yield value("UserLanguage", schemes.LANGUAGES[patron.language], schemes.LANGUAGE)


def _privilege(asking: Asking, patron: Patron) -> Iterator[Node]:
    if not _tells(asking, "privilege", "User Privilege"):
        return
    until = patron.valid_until
    expired = until is not None and until < asking.now.astimezone(asking.zone).date()
    status = "Expired" if expired else "Restricted" if patron.blocks else "Active"
    yield node(
        "UserPrivilege",
        asking.agency(),
        value("AgencyUserPrivilegeType", patron.category or "patron"),
        Node("ValidToDate", asking.stamp(datetime.combine(until, time(23, 59), asking.zone))) if until else None,
        node("UserPrivilegeStatus", value("UserPrivilegeStatusType", status, schemes.USER_PRIVILEGE_STATUS)),
    )


def _blocks(asking: Asking, patron: Patron) -> Iterator[Node]:
    if _tells(asking, "blocks", "Block Or Trap"):
        for code in patron.blocks:
            yield node("BlockOrTrap", asking.agency(), value("BlockOrTrapType", code))


def item_fields(asking: Asking, item: Item, *, at_least: tuple[str, ...] = ()) -> Node | None:
    """ItemOptionalFields with what is asked for, `at_least` some where nothing is; None when there is nothing."""
    asked = asking.body.has("ItemElementType")

    def wanted(kind: str) -> bool:
        return asking.wants(kind) or (not asked and kind in at_least)

    parts: list[Node | None] = []
    if wanted("Bibliographic Description"):
        medium = value("MediumType", item.material) if item.material else None
        parts.append(node("BibliographicDescription", Node("Title", item.title or item.item), medium))
    if wanted("Circulation Status"):
        parts.append(value("CirculationStatus", schemes.STATUS[item.status], schemes.CIRCULATION_STATUS))
    if wanted("Hold Queue Length"):
        parts.append(Node("HoldQueueLength", str(item.holds)))
    if wanted("Item Description") and item.call_number:
        parts.append(node("ItemDescription", Node("CallNumber", item.call_number)))
    if wanted("Location"):
        places = (("Permanent Location", item.owner), ("Current Location", item.location))
        parts += [_location(kind, place) for kind, place in places if place]
    if item.due is not None and wanted("Circulation Status") and not asking.old:  # 1.x has no place for it
        parts.append(Node("DateDue", asking.stamp(item.due)))
    return node("ItemOptionalFields", *parts) if parts else None


def _location(kind: str, place: str) -> Node:
    instance = node("LocationNameInstance", Node("LocationNameLevel", "1"), Node("LocationNameValue", place))
    return node("Location", value("LocationType", kind, schemes.LOCATION_TYPE), node("LocationName", instance))
