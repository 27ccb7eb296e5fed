"""One record that is not spelled plainly, through libxml2: entities, CDATA, comments, markup in text, attributes in odd places.

Sources: MARC 21 XML Schema (loc.gov/standards/marcxml), ISO 25577 (MarcXchange).
"""

from __future__ import annotations

import re

from lxml import etree

from include.marc.batch import LEADER_LENGTH, Family
from include.marc.build import Issue
from include.marc.errors import Unreadable
from include.marc.record import Field, Record

PREFIX = re.compile(rb"[<\s/]([A-Za-z_][\w.-]*):[A-Za-z_]")
DEEPEST = 16
FIELDS = {"leader", "controlfield", "datafield"}


def parsed(raw: bytes, family: Family) -> tuple[Record, list[Issue]]:
    """The record in a `record` element of UTF-8, and what was mended. Raises Unreadable."""
    prefixes = set(PREFIX.findall(raw)) - {b"xml", b"xmlns"}
    declared = b"".join(b" xmlns:%s='urn:%s'" % (prefix, prefix) for prefix in sorted(prefixes))
    # No DTD, no entities, no network, and libxml2's own limits on depth and size stay on.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True, encoding="utf-8"
    )
    try:
        element = etree.fromstring(b"<w" + declared + b">" + raw + b"</w>", parser)[0]
    except etree.XMLSyntaxError as error:
        raise Unreadable(_reason(error), f"line {error.lineno} of the record") from error
    return _record(element, family)


def _record(element: etree._Element, family: Family) -> tuple[Record, list[Issue]]:
    issues: list[Issue] = []
    record = Record("", [])
    for child in element:
        name = etree.QName(child).localname
        if name == "leader":
            record.leader = _text(child, issues, None)
        elif name == "controlfield":
            record.fields.append(Field(_tag(child, issues, len(record.fields) + 1), data=_text(child, issues, len(record.fields) + 1)))
        elif name == "datafield":
            record.fields.append(_data_field(child, issues, len(record.fields) + 1, family))
        elif _deep(child) or any(etree.QName(below).localname in FIELDS for below in child.iter()):
            raise Unreadable("XML_TOO_DEEP" if _deep(child) else "XML_UNREADABLE", f"an element {name[:20]}")
        else:
            issues.append(Issue("XML_ELEMENT_IGNORED", name[:20]))
    if not record.fields:
        raise Unreadable("MARC_DIRECTORY_INVALID", "no field")
    if len(record.leader) != LEADER_LENGTH or not record.leader.isascii():
        issues.append(Issue("MARC_LEADER_LENGTH"))
        record.leader = re.sub(r"[^\x20-\x7e]", " ", record.leader)[:LEADER_LENGTH].ljust(LEADER_LENGTH)
    return record, issues


def _tag(element: etree._Element, issues: list[Issue], seq: int) -> str:
    tag = element.get("tag", "")
    if tag.isdigit() and tag.isascii() and len(tag) < 3:
        issues.append(Issue("MARC_TAG_SHORT", None, seq))
        return tag.zfill(3)
    if len(tag) != 3:
        raise Unreadable("MARC_DIRECTORY_INVALID", "a field without a tag of three characters")
    if not tag.isalnum() or not tag.isascii():
        issues.append(Issue("MARC_TAG_INVALID", None, seq))
    return tag


def _data_field(element: etree._Element, issues: list[Issue], seq: int, family: Family) -> Field:
    # ISO 25577 leaves indicators out where a format has none
    given = [element.get(name, " ") for name in ("ind1", "ind2")]
    if any(len(one) != 1 or not " " <= one <= "~" for one in given):
        issues.append(Issue("MARC_INDICATORS_WRONG", None, seq))
    indicators = "".join(one[0] if one and " " <= one[0] <= "~" else " " for one in given)
    field = Field(_tag(element, issues, seq), indicators=indicators)
    if family != "danmarc2" and field.tag.isdigit() and field.tag < "010":
        issues.append(Issue("MARC_CONTROL_FIELD_DIVIDED", None, seq))
    if len(element) == 0:
        issues.append(Issue("MARC_FIELD_EMPTY", None, seq))
    for part in element:
        if etree.QName(part).localname != "subfield":
            raise Unreadable("XML_TOO_DEEP" if _deep(part) else "XML_UNREADABLE", "an element in a field that is no subfield")
        code = part.get("code", "")
        if len(code) != 1 or not _is_code(code, family):
            issues.append(Issue("MARC_SUBFIELD_CODE", f"U+{ord(code[0]):04X}" if code else None, seq))
        field.subfields.append((code[0] if code and " " <= code[0] < "\U00010000" else "?", _text(part, issues, seq)))
    return field


def _is_code(code: str, family: Family) -> bool:
    return "!" <= code <= "~" or (family == "danmarc2" and "\xa0" < code < "\U00010000")


def _text(element: etree._Element, issues: list[Issue], seq: int | None) -> str:
    """An element's text; markup inside (HTML in a subfield) is taken off, and said."""
    if len(element) == 0:
        return element.text or ""
    if _deep(element):
        raise Unreadable("XML_TOO_DEEP")
    issues.append(Issue("MARC_MARKUP_IN_TEXT", None, seq))
    return "".join(str(part) for part in element.itertext())


def _deep(element: etree._Element) -> bool:
    depth, level = 0, [element]
    while level and depth <= DEEPEST:
        depth, level = depth + 1, [child for parent in level for child in parent]
    return depth > DEEPEST


def _reason(error: etree.XMLSyntaxError) -> str:
    words = str(error)
    if "depth" in words:
        return "XML_TOO_DEEP"
    if "invalid Char" in words or "invalid xmlChar" in words:
        return "XML_CHARACTER_INVALID"
    if "encod" in words or "UTF-8" in words:
        return "CHARSET_WRONG"
    return "XML_UNREADABLE"
