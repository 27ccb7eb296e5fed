"""The lake's MARCXML into what is kept for harvesters: leader and fields of one record, without the element around them.

MARCXML (MARC 21 slim) and MarcXchange (ISO 25577) name leader, fields and subfields alike, so that one body serves both.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from include.marc.record import NOT_XML

#: Left for a house's own use by MARC 21 (tags 9XX and X9X, loc.gov/marc/bibliographic) and used for items and notes: they stay here.
LOCAL = ("09X", "59X", "69X", "9XX")
_TAG = re.compile(r"[0-9A-Za-z]{3}")
_CONTROL = re.compile(r"00[0-9A-Za-z]")


class Unusable(ValueError):
    """The text is no MARC record that could be handed on; nothing of it is in the message."""


@cache
def left_out(without: Collection[str]) -> re.Pattern[str]:
    """A pattern of the tags that stay here; X stands for any character."""
    return re.compile("|".join(tag.replace("X", ".") for tag in without) or "(?!)")


def body(text: str, without: Collection[str]) -> tuple[bytes, bool]:
    """The record's inside in UTF-8, and whether it keeps to MARC 21 slim: there no tag below 010 has subfields.

    Every element is written anew: no attribute, prefix, comment or entity of the original gets through. Raises Unusable.
    """
    if NOT_XML.search(text):
        text = NOT_XML.sub("", text)
    if "<!DOCTYPE" in text:
        raise Unusable("a document type declaration")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_pis=True, remove_comments=True
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError):
        raise Unusable("no XML") from None
    if etree.QName(root).localname != "record":
        raise Unusable("no record")
    hidden = left_out(tuple(without)).fullmatch
    parts, slim, leaders = [], True, 0
    for element in root:
        name = _name(element)
        if name == "leader":
            leaders += 1
            parts.append(f"<leader>{escape(element.text or '')}</leader>")
            continue
        tag = element.get("tag", "")
        if not _TAG.fullmatch(tag):
            raise Unusable("a field without a tag")
        if hidden(tag):
            continue
        if name == "controlfield":
            slim = slim and _CONTROL.fullmatch(tag) is not None
            parts.append(f'<controlfield tag="{tag}">{escape(element.text or "")}</controlfield>')
        elif name == "datafield":
            slim = slim and not tag.startswith("00")
            parts.append(_datafield(element, tag))
        else:
            raise Unusable("an element that MARCXML does not have")
    if leaders != 1 or len(parts) < 2:
        raise Unusable("no leader, or no field")
    return "".join(parts).encode(), slim


def _datafield(element: etree._Element, tag: str) -> str:
    one, two = (_indicator(element.get(name)) for name in ("ind1", "ind2"))
    parts = [f'<datafield tag="{tag}" ind1={one} ind2={two}>']
    for part in element:
        code = part.get("code", "")
        if _name(part) != "subfield" or len(code) != 1 or len(part):
            raise Unusable("a field whose subfields cannot be read")
        parts.append(f"<subfield code={quoteattr(code)}>{escape(part.text or '')}</subfield>")
    parts.append("</datafield>")
    return "".join(parts)


def _indicator(value: str | None) -> str:
    if value is None or value == " ":
        return '" "'
    if len(value) != 1:
        raise Unusable("an indicator that is not one character")
    return quoteattr(value)


def _name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]
