"""Writing NCIP: one tree of nodes with 2.02's names, written by the schema of 2.02 or by the document type of 1.x.

1.x has other names (UniqueUserId), agencies in every identifier, and a value's scheme in an element instead of an attribute.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import etree

NAMESPACE = "http://www.niso.org/2008/ncip"
VERSION_2 = "http://www.niso.org/schemas/ncip/v2_02/ncip_v2_02.xsd"
VERSION_1 = "http://www.niso.org/ncip/v1_01/imp1/dtd/ncip_v1_01.dtd"
_PUBLIC = {False: "-//NISO//NCIP DTD Version 1.01//EN", True: "-//NISO//NCIP DTD Version 1.0//EN"}
_ADDRESS = re.compile(r"https?://[\w./:-]{1,200}")
_OLD_NAMES = {"UserId": "UniqueUserId", "ItemId": "UniqueItemId", "RequestId": "UniqueRequestId", "AgencyId": "UniqueAgencyId"}
_NEW_ALONE = frozenset({"UserIdentifierType", "ItemIdentifierType", "RequestIdentifierType"})
"""Elements that 1.x does not have."""


@dataclass(frozen=True, slots=True)
class Node:
    """An element. `scheme` is None but for a value that belongs to one (SchemeValuePair); '' is a value whose scheme is not known."""

    name: str
    text: str = ""
    parts: tuple[Node, ...] = ()
    scheme: str | None = None


def node(name: str, *parts: Node | None) -> Node:
    """An element with others in it; None is left out."""
    return Node(name, parts=tuple(part for part in parts if part is not None))


def value(name: str, text: str, scheme: str = "") -> Node:
    """An element whose text belongs to a scheme."""
    return Node(name, text, scheme=scheme)


def written(root: Node, version: str, *, old: bool) -> bytes:
    """A whole message. `root` is NCIPMessage or NCIPVersionMessage; `version` is what the asking side called it, '' the newest that we write."""
    if not _ADDRESS.fullmatch(version) or ("v1_" in version) is not old:
        version = VERSION_1 if old else VERSION_2
    if not old:
        top = etree.Element(f"{{{NAMESPACE}}}{root.name}", {f"{{{NAMESPACE}}}version": version}, nsmap={"ns1": NAMESPACE})
        for part in root.parts:
            _new(top, part)
        return bytes(etree.tostring(top, xml_declaration=True, encoding="UTF-8"))
    top = etree.Element(root.name, {"version": version})
    for part in root.parts:
        _old(top, part)
    doctype = f'<!DOCTYPE {root.name} PUBLIC "{_PUBLIC["v1_0." in version]}" "{version}">'
    return bytes(etree.tostring(top, xml_declaration=True, encoding="UTF-8", doctype=doctype))


def _new(parent: etree._Element, found: Node) -> None:
    element = etree.SubElement(parent, f"{{{NAMESPACE}}}{found.name}")
    if found.scheme:
        element.set(f"{{{NAMESPACE}}}Scheme", found.scheme)
    if found.text:
        element.text = _holdable(found.text)
    for part in found.parts:
        _new(element, part)


def _old(parent: etree._Element, found: Node) -> None:
    if found.name in _NEW_ALONE:
        return
    element = etree.SubElement(parent, _OLD_NAMES.get(found.name, found.name))
    if found.scheme is not None:
        etree.SubElement(element, "Scheme").text = found.scheme
        etree.SubElement(element, "Value").text = _holdable(found.text)
    elif found.text:
        element.text = _holdable(found.text)
    for part in found.parts:
        _old(element, part)


def _holdable(text: str) -> str:
    """The text without what XML 1.0 cannot hold."""
    return "".join(char if (char >= " " or char in "\t\n") and char not in "\ufffe\uffff" and not "\ud800" <= char <= "\udfff" else " "
                   for char in text)  # fmt: skip
