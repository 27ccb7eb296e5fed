"""Reading NCIP: any version, with namespaces or without, in whatever encoding; what comes out has 2.x's names.

Hardened: a document type is cut off before anything is parsed (it is never fetched), one with declarations in it is refused, and so is
what is too long. Version 1.x names (UniqueUserId, VisibleItemId, Scheme and Value) become those of 2.x (UserId, ItemId, one text).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

LARGEST = 256 * 1024
"""Bytes of a message."""
_MOST = {"<": 5_000, "=": 2_000, "<!": 100}
"""Tags, attributes and declarations: real messages have some hundreds at most. What holds each attribute against every other takes seconds for
those that 256 KB have room for, and everybody would wait."""
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True)
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z][\w.:-]{0,40})["']""")
_DECLARATION = re.compile(r"^<\?xml[^>]{0,400}\?>\s*")
_DOCTYPE = re.compile(r"<!DOCTYPE([^>\[]{0,1000})(\[|>)", re.IGNORECASE)
_OLD_PREFIX = re.compile(r"^(unique|visible)(?=(user|item|request|agency|bibliographic)id)")
_OLD_NAMES = {"visibleuseridentifier": "useridentifiervalue", "visibleitemidentifier": "itemidentifiervalue",
              "visibleuseridentifiertype": "useridentifiertype", "visibleitemidentifiertype": "itemidentifiertype"}  # fmt: skip
_OF_PYTHON = ("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape")
"""Codecs that are no character set; a quarter of a megabyte of punycode takes seconds."""
_DEEPEST = 5
"""How many elements may stand around a service: NCIPMessage, and a SOAP envelope with its body."""


class Unreadable(ValueError):
    """What came is no NCIP message; the text says why, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Part:
    """An element: `name` in lower case and by 2.x, the text of itself or of its Value, and what is in it."""

    name: str
    text: str = ""
    parts: tuple[Part, ...] = ()

    def every(self, name: str) -> Iterator[Part]:
        """The elements of that name directly inside."""
        return (part for part in self.parts if part.name == name.lower())

    def one(self, *path: str) -> Part | None:
        """The first element along a path of names."""
        found: Part | None = self
        for name in path:
            found = next(found.every(name), None) if found else None
        return found

    def said(self, *path: str) -> str:
        """The text along a path of names; '' where there is nothing."""
        found = self.one(*path)
        return found.text if found else ""

    def has(self, name: str) -> bool:
        """Whether an element of that name is inside."""
        return self.one(name) is not None


@dataclass(frozen=True, slots=True)
class Message:
    """A service that is asked for. `version` is what the message says of itself, `old` whether that is 1.x; `header` is never None."""

    service: str
    body: Part
    version: str = ""
    old: bool = False
    header: Part = field(default_factory=lambda: Part("initiationheader"))


def read(body: bytes, services: frozenset[str], charset: str | None = None) -> Message:
    """The message in a body. `services` are the names to look for, as the standard spells them; `charset` is what HTTP said."""
    if len(body) > LARGEST:
        raise Unreadable("it is too long")
    text = _text(body, charset)
    if any(text.count(sign) > most for sign, most in _MOST.items()):
        raise Unreadable("it has more elements than a message")
    text, doctype = _without_doctype(text)
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), _PARSER)
    except etree.XMLSyntaxError as error:
        raise Unreadable(f"it is no XML (line {error.lineno or 0})") from None
    known = {name.lower(): name for name in services}
    found = _service(root, known, _DEEPEST)
    attributes = _root(root, found).attrib.items()
    version = next((str(value) for name, value in attributes if etree.QName(name).localname.lower() == "version"), "")
    part = _part(found)
    header = part.one("initiationheader") or part  # LookupVersion has its agencies without a header around them
    old = _is_old(root, version.strip(), doctype, found)
    return Message(known.get(part.name, etree.QName(found).localname), part, version.strip(), old, header)


def _text(body: bytes, charset: str | None) -> str:
    """The characters: by a byte order mark, else by what the document says, else by HTTP, else UTF-8; what does not fit is Latin-1."""
    for mark, name in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if body.startswith(mark):
            return _decoded(body, name).lstrip("\ufeff \t\r\n")
    if body[:2] in (b"<\0", b"\0<"):
        return _decoded(body, "utf-16-le" if body[0] else "utf-16-be").strip()
    declared = _DECLARED.match(body[:400])
    name = declared[1].decode("ascii") if declared else charset or "utf-8"
    if name.lower().startswith(("utf-16", "utf-32", "ucs")):  # it begins with one byte a character, so it is none of these
        name = "utf-8"
    return _decoded(body, name).strip()


def _decoded(body: bytes, name: str) -> str:
    try:
        found = codecs.lookup(name)
        if found._is_text_encoding and found.name not in _OF_PYTHON:
            return body.decode(name)
    except (LookupError, UnicodeError):
        pass
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("latin-1")


def _without_doctype(text: str) -> tuple[str, str]:
    """The document without its declaration and its document type, and what that said. One that declares things itself is refused."""
    text = _DECLARATION.sub("", text, count=1)
    found = _DOCTYPE.search(text)
    if found and found[2] == "[":
        raise Unreadable("its document type declares things")
    if found:
        text = text[: found.start()] + text[found.end() :]
    if re.search(r"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise Unreadable("it declares entities")
    return text.strip().rstrip("\0"), found[1] if found else ""


def _service(element: etree._Element, known: dict[str, str], deep: int) -> etree._Element:
    """The element of the service: the first whose name is one, else what stands in NCIPMessage."""
    inside = None
    for candidate in _near(element, deep):
        name = etree.QName(candidate).localname.lower()
        if name in known:
            return candidate
        if name in ("ncipmessage", "ncipversionmessage") and inside is None:
            inside = next((child for child in candidate if isinstance(child.tag, str)), None)
    if inside is None:
        raise Unreadable("it asks for nothing")
    return inside


def _near(element: etree._Element, deep: int) -> Iterator[etree._Element]:
    yield element
    if deep > 1:
        for child in element:
            if isinstance(child.tag, str):
                yield from _near(child, deep - 1)


def _root(root: etree._Element, service: etree._Element) -> etree._Element:
    parent = service.getparent()
    return root if parent is None else parent


def _part(element: etree._Element) -> Part:
    name = etree.QName(element).localname.lower()
    name = _OLD_NAMES.get(name) or _OLD_PREFIX.sub("", name)
    parts = tuple(_part(child) for child in element if isinstance(child.tag, str))
    value = next((part.text for part in parts if part.name == "value"), None)
    return Part(name, (element.text or "").strip() if value is None else value, parts)


def _is_old(root: etree._Element, version: str, doctype: str, service: etree._Element) -> bool:
    """Whether it is 1.x: by its version, its document type, its namespace, else by names that only 1.x has."""
    said = version.lower()
    if "v1_" in said or said.startswith("1."):
        return True
    if "v2_" in said or said.startswith("2."):
        return False
    if "version 1" in doctype.lower() or "v1_" in doctype.lower():
        return True
    if "niso.org/2008" in (etree.QName(service).namespace or ""):
        return False
    return any(isinstance(one.tag, str) and etree.QName(one).localname.startswith(("Unique", "Visible")) for one in root.iter())
