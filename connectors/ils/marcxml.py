"""A stream of MARCXML or MarcXchange into records, each parsed by itself, so that one that is no XML costs its neighbours nothing.

A document type declaration is refused wherever it stands: with entities merely switched off, a parser empties elements without a word.
Sources: MARC 21 XML Schema (loc.gov/standards/marcxml), ISO 25577 (MarcXchange).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from lxml import etree

from connectors.ils.iso2709 import LEADER, Piece
from connectors.ils.marc_decode import Decoded, Unreadable
from include.engine.errors import Refused
from include.marc.record import Field, Record

START = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?record(?=[\s>])")
END = re.compile(rb"</(?:[A-Za-z_][\w.-]*:)?record\s*>")
DTD = re.compile(rb"<!(DOCTYPE|ENTITY|ELEMENT|ATTLIST)")
ENCODING = re.compile(rb"""<\?xml[^>]*\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
PREFIXES = re.compile(rb"""\sxmlns(:[\w.-]+)?\s*=\s*("[^"<]*"|'[^'<]*')""")
TRACE = re.compile(rb"<(?:[\w.-]+:)?(leader|controlfield|datafield|subfield)\b")
ENCODINGS = {"utf-8", "us-ascii", "ascii", "iso-8859-1", "iso-8859-15", "windows-1252"}
LARGEST = 16 << 20
DEEPEST = 16
CHUNK = 1 << 20


@dataclass(frozen=True)
class Fragment(Piece):
    """A record's element, with the namespaces and the encoding of the document it stood in."""

    wrapper: bytes = b"<w>"
    encoding: str = "utf-8"


def fragments(stream: BinaryIO, where: str) -> Iterator[Fragment]:
    """Every record element in order; what is like a record but has no start or end comes out with its fault.

    Raises Refused: XML_DTD, CHARSET_REFUSED (UTF-16 and others), XML_NO_RECORDS.
    """
    data, offset, prolog, any_record, ended = b"", 0, b"", False, False
    wrapper, encoding = b"<w>", "utf-8"
    while not ended:
        part = stream.read(CHUNK)
        ended = not part
        data += part
        if offset == 0:
            _check_start(data, where)
        at = 0
        while True:
            start = START.search(data, at)
            gap_end = start.start() if start else (len(data) if ended else max(at, len(data) - 256))
            _check_gap(data[at:gap_end], where)
            if not any_record:
                prolog = (prolog + data[at:gap_end])[-65536:] if len(prolog) > 65536 else prolog + data[at:gap_end]
            elif TRACE.search(data, at, gap_end):
                yield Fragment(offset + at, data[at:gap_end], fault="XML_UNREADABLE")
            if start is None:
                at = gap_end
                break
            if not any_record:
                wrapper, encoding, any_record = *_frame(prolog, where), True
            end = END.search(data, start.end())
            again = START.search(data, start.end(), end.start() if end else len(data))
            if again:
                fragment = Fragment(offset + start.start(), data[start.start() : again.start()], fault="XML_UNREADABLE")
                at = again.start()
            elif end:
                fragment = Fragment(offset + start.start(), data[start.start() : end.end()], wrapper=wrapper, encoding=encoding)
                at = end.end()
            elif ended or len(data) - start.start() > LARGEST:
                fault = "MARC_TRUNCATED" if ended else "RECORD_TOO_LONG"
                fragment = Fragment(offset + start.start(), data[start.start() :], fault=fault)
                at = len(data)
            else:
                at = start.start()
                break
            _check_gap(fragment.raw, where)
            yield fragment
        data, offset = data[at:], offset + at
    if not any_record:
        raise Refused("there is no record element in the file", where=where, code="XML_NO_RECORDS")


def _check_start(data: bytes, where: str) -> None:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:64]:
        raise Refused(
            "the XML is not in an encoding of single bytes or UTF-8", where=where, do="Deliver it as UTF-8.", code="CHARSET_REFUSED"
        )


def _check_gap(data: bytes, where: str) -> None:
    if DTD.search(data):
        raise Refused("the XML has a document type declaration", where=where, do="Deliver it without.", code="XML_DTD")


def _frame(prolog: bytes, where: str) -> tuple[bytes, str]:
    """An element that declares the namespaces declared so far, and the document's encoding."""
    named = ENCODING.search(prolog)
    encoding = named[1].decode("ascii").casefold() if named else "utf-8"
    if encoding not in ENCODINGS:
        raise Refused(f"the XML is in {encoding}", where=where, do="Deliver it as UTF-8.", code="CHARSET_REFUSED")
    spaces = {match[1] or b"": match[2] for match in PREFIXES.finditer(prolog)}
    declared = b"".join(b" xmlns" + prefix + b"=" + uri for prefix, uri in spaces.items())
    return b"<w" + declared + b">", encoding


def decode(fragment: Fragment) -> Decoded:
    """Read one record element. Raises Unreadable."""
    if fragment.fault:
        raise Unreadable(fragment.fault)
    declaration = f'<?xml version="1.0" encoding="{fragment.encoding}"?>'.encode()
    # No DTD, no entities, no network, and libxml2's own limits on depth and size stay on.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        element = etree.fromstring(declaration + fragment.wrapper + fragment.raw + b"</w>", parser)[0]
    except etree.XMLSyntaxError as error:
        raise Unreadable(_reason(error), f"line {error.lineno} of the record") from error
    repairs: list[str] = []
    record = Record("", [])
    for child in element:
        name = etree.QName(child).localname
        if name == "leader":
            record.leader = _text(child, repairs)
        elif name == "controlfield":
            record.fields.append(Field(child.get("tag", ""), data=_text(child, repairs)))
        elif name == "datafield":
            record.fields.append(_datafield(child, repairs))
        else:
            raise Unreadable("XML_TOO_DEEP" if _deep(child) else "XML_UNREADABLE", f"an element {name[:20]}")
    if any(len(field.tag) != 3 for field in record.fields) or not record.fields:
        raise Unreadable("MARC_DIRECTORY_INVALID", "a field without tag, or no field")
    if len(record.leader) != LEADER:
        repairs.append("MARC_LEADER_LENGTH")
        record.leader = record.leader[:LEADER].ljust(LEADER)
    return Decoded(record, fragment.encoding, tuple(dict.fromkeys(repairs)))


def _datafield(element: etree._Element, repairs: list[str]) -> Field:
    indicators = ((element.get("ind1") or " ")[0] + (element.get("ind2") or " ")[0]).ljust(2)
    subfields = [((part.get("code") or "?")[0], _text(part, repairs)) for part in element]
    return Field(element.get("tag", ""), indicators=indicators, subfields=subfields)


def _text(element: etree._Element, repairs: list[str]) -> str:
    """An element's text; markup inside (HTML in a subfield) is taken off, and said."""
    if len(element) == 0:
        return element.text or ""
    if _deep(element):
        raise Unreadable("XML_TOO_DEEP")
    repairs.append("MARC_MARKUP_IN_TEXT")
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
