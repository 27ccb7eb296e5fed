"""One record of a page: who it is, when it was changed, whether it is deleted, and its metadata as they came."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

from lxml import etree

from connectors.oai_pmh.harvest.page import Page, fault_of
from include.marc.record import NOT_XML

_NAME = rb"(?:[A-Za-z_][\w.-]*:)?"
_HEADER_END = re.compile(rb"</" + _NAME + rb"header\s*>")
_DELETED = re.compile(rb"""<""" + _NAME + rb"""header\s[^>]*\bstatus\s*=\s*["']\s*deleted\s*["']""")
_IDENTIFIER = re.compile(rb"<" + _NAME + rb"identifier(?:\s[^>]*)?>([^<]*)<")
_DATESTAMP = re.compile(rb"<" + _NAME + rb"datestamp(?:\s[^>]*)?>([^<]*)<")
_SET = re.compile(rb"<" + _NAME + rb"setSpec(?:\s[^>]*)?>([^<]*)<")
_METADATA = re.compile(rb"<(" + _NAME + rb"metadata)(?:\s[^>]*)?>")
_ABOUT = re.compile(rb"</" + _NAME + rb"about\s*>")
_DECLARED = re.compile(rb"""\sxmlns(?::([\w.-]+))?\s*=\s*("[^"]*"|'[^']*')""")
_FIRST_TAG = re.compile(rb"<(?![?!])([A-Za-z_][\w.-]*:)?[\w.-]+((?:\s[^>]*)?)(?=/?>)")
_BAD_REFERENCE = re.compile(r"&#(?:x0*(?:[0-8bBcCeEfF]|1[0-9a-fA-F])|0*(?:[0-8]|1[124-9]|2\d|3[01]));")
Declared = dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Item:
    """A record's header and metadata, UTF-8. `start` and `end` are in the page's `text.utf8`; `xml` is None for a deleted record, and in a header alone.

    `fault` is the reason for which the record cannot be taken in, `detail` more about it; `mended` what was done to it.
    """

    identifier: str
    datestamp: str
    deleted: bool
    sets: tuple[str, ...]
    xml: bytes | None
    start: int
    end: int
    fault: str | None = None
    detail: str | None = None
    mended: str | None = None


def items(page: Page) -> Iterator[Item]:
    """Every record of the page, in order; none is left out, whatever is wrong with it."""
    around = declarations(page)
    for span in page.spans:
        raw = page.text.utf8[span.start : span.end]
        mended, fault, detail = None, None, None
        if not page.strict:
            raw, mended, fault, detail = _checked(raw, around, page)
        yield _item(raw, around, span.start, span.end, fault, detail, mended)


def headers(page: Page) -> Iterator[tuple[bytes, bytes]]:
    """(identifier, datestamp) of every record as UTF-8: enough to tell records apart."""
    if page.marks is not None and not page.marks.odd.any():
        yield from zip(*(page.marks.texts(page.text.utf8, column) for column in (2, 4)), strict=True)
        return
    for span in page.spans:
        identifier = _IDENTIFIER.search(page.text.utf8, span.start, span.end)
        datestamp = _DATESTAMP.search(page.text.utf8, span.start, span.end)
        name = identifier[1].strip() if identifier else b""
        if b"&" in name:
            name = _clean(name).encode()
        yield name, (datestamp[1].strip() if datestamp else b"")


def declarations(page: Page) -> Declared:
    """Namespaces that the elements around the records declare: prefix (b"" for none) to URI in its quotes."""
    first = page.spans[0].start if page.spans else 0
    return {prefix or b"": uri for prefix, uri in _DECLARED.findall(page.text.utf8[:first])}


def _item(raw: bytes, around: Declared, start: int, end: int, fault: str | None, detail: str | None, mended: str | None) -> Item:
    closed = _HEADER_END.search(raw)
    head = raw[: closed.end()] if closed else raw
    identifier, datestamp = _text(_IDENTIFIER, head), _text(_DATESTAMP, head)
    deleted = _DELETED.search(head) is not None
    sets = tuple(_clean(value) for value in _SET.findall(head))
    xml = None
    if fault is None and not identifier:
        fault = "OAI_IDENTIFIER_MISSING"
    if fault is None and not deleted and closed:
        xml = _metadata(raw, closed.end(), around)
    return Item(identifier, datestamp, deleted, sets, xml, start, end, fault, detail, mended)


def _text(pattern: re.Pattern[bytes], raw: bytes) -> str:
    found = pattern.search(raw)
    return _clean(found[1]) if found else ""


def _clean(value: bytes) -> str:
    text = value.decode("utf-8", "replace").strip()
    return unescape(text) if "&" in text else text


def _metadata(raw: bytes, after: int, around: Declared) -> bytes | None:
    """What stands in `metadata`, able to stand alone; None where nothing stands there."""
    opened = _METADATA.search(raw, after)
    if opened is None:
        return None
    if raw.find(b"about", after) >= 0 and _ABOUT.search(raw, opened.end()):  # an `about` beside it may hold an element of that name too
        return _by_parser(raw, around)
    inside = raw[opened.end() : raw.rfind(b"</" + opened[1])].strip()
    return _alone(inside, around | _of(raw[: opened.end()])) if inside else None


def _of(tags: bytes) -> Declared:
    return {prefix or b"": uri for prefix, uri in _DECLARED.findall(tags)}


def _alone(inside: bytes, around: Declared) -> bytes:
    """The element with those declarations from around it that it needs and does not make itself."""
    first = _FIRST_TAG.search(inside)
    if first is None or not around:
        return inside
    own = {prefix for prefix, _ in _DECLARED.findall(first[0])}
    needed = [
        b" xmlns" + (b":" + prefix if prefix else b"") + b"=" + uri
        for prefix, uri in around.items()
        if prefix not in own and ((prefix + b":" in inside) if prefix else _without_prefix(inside))
    ]
    return inside[: first.end()] + b"".join(needed) + inside[first.end() :] if needed else inside


def _without_prefix(inside: bytes) -> bool:
    """Whether an element without a prefix stands there."""
    return re.search(rb"<[A-Za-z_][\w.-]*[\s/>]", inside) is not None


def _by_parser(raw: bytes, around: Declared) -> bytes | None:
    root = etree.fromstring(_wrapped(raw, around), etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
    metadata = next((one for one in root[0] if isinstance(one.tag, str) and etree.QName(one).localname == "metadata"), None)
    first = next((one for one in metadata if isinstance(one.tag, str)), None) if metadata is not None else None
    return None if first is None else etree.tostring(first, encoding="utf-8", with_tail=False)


def _wrapped(raw: bytes, around: Declared) -> bytes:
    named = b"".join(b" xmlns" + (b":" + prefix if prefix else b"") + b"=" + uri for prefix, uri in around.items())
    return b"<w" + named + b">" + raw + b"</w>"


def _checked(raw: bytes, around: Declared, page: Page) -> tuple[bytes, str | None, str | None, str | None]:
    """A record of a page that is not what it should be: as it is, mended, or with its fault. (bytes, mended, fault, detail)"""
    mended = None
    if page.text.broken:
        try:
            raw.decode()
        except UnicodeDecodeError:
            if _utf8_elsewhere(page.text.utf8):
                return raw, None, "OAI_RECORD_NOT_UTF8", None
            raw, mended = raw.decode("windows-1252", "replace").encode(), "OAI_ENCODING_WRONG"
    if fault_of(_wrapped(raw, around)) is None:
        return raw, mended, None, None
    text = _BAD_REFERENCE.sub("", NOT_XML.sub("", raw.decode("utf-8", "replace")))
    fault = fault_of(_wrapped(text.encode(), around))
    if fault is None:
        return text.encode(), mended or "OAI_CHARACTER_REMOVED", None, None
    return raw, None, "OAI_RECORD_NOT_XML", fault


def _utf8_elsewhere(page: bytes) -> bool:
    """Whether letters beyond ASCII come as UTF-8 elsewhere in the page: then a record that is none is an accident, and no other encoding."""
    return re.search(rb"[\xc3-\xf4][\x80-\xbf]", page) is not None
