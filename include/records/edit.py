"""A record as text that a person mends, and the mended text as a file that holds this record alone."""

from __future__ import annotations

import json
import re
from io import BytesIO

from lxml import etree

from include.engine.errors import Refused
from include.engine.quarantine.writing import Writing
from include.marc.batch import Tags
from include.marc.build import Found, build
from include.marc.charsets import NAMES
from include.marc.marcxml.fragment import PREFIX
from include.marc.record import NAMESPACE
from include.marc.write import iso2709 as write_iso2709
from include.records import lines, marc
from include.records.show import form_of

LONGEST = 256 << 10
"""Bytes of a record that can be mended in a page; a longer one is mended where it comes from."""


def text_of(raw: bytes, writing: Writing) -> str | None:
    """The record as text to be mended; None for one that is too long. Bytes of another character set are shown as what they likely are."""
    if len(raw) > LONGEST:
        return None
    if form_of(raw, writing) == "iso2709":
        record = marc.read(raw, writing)[0] or marc.piece_by_piece(raw, writing)[0]
        return lines.written(record, writing)
    charset = "utf-8" if writing.charset == "declared" else writing.charset
    try:
        text = raw.decode("utf-8-sig" if charset == "utf-8" else charset)
    except UnicodeDecodeError:
        text = raw.decode("windows-1252", "replace")
    return text.rstrip("\r\n")


def file_of(text: str, writing: Writing, *, like: bytes, head: bytes | None) -> bytes:
    """A file of the one mended record, as the partner would have delivered it. `like`: the bytes as they were; `head`: the first of its file.

    Refused when the text is not what it should be, or holds what the delivery's character set does not have.
    """
    text = text.replace("\r\n", "\n").strip("\n")
    if not text.strip():
        raise Refused("nothing is left of the record.", do="Discard it instead.", code="RECORD_EMPTY")
    match form_of(like, writing):
        case "iso2709":
            return _marc(text, writing)
        case "xml":
            return _xml(text)
        case "json":
            return _json(text)
        case "delimited" if writing.header:
            if not head or b"\n" not in head:
                raise Refused("the file's header is no longer kept.", do="Ask for the record to be delivered again.", code="HEADER_MISSING")
            first = head.partition(b"\n")[0].rstrip(b"\r")
            charset = "utf-8" if first.startswith(b"\xef\xbb\xbf") else writing.charset
            return first + b"\n" + _encoded(text, charset) + b"\n"
        case _:
            return _encoded(text, "utf-8" if writing.charset == "declared" else writing.charset) + b"\n"


def _marc(text: str, writing: Writing) -> bytes:
    batch = build([Found(lines.read(text, writing), 1)], Tags())
    charset = marc.charset_of(writing)
    out = BytesIO()
    written = write_iso2709.write([batch], out, charset=charset if charset in NAMES else "utf-8", family=writing.family)
    if any(reason == "MARC_CHARACTER_LOST" for _, reason, _ in written.problems):
        raise _foreign(writing.charset)
    return out.getvalue()


def _xml(text: str) -> bytes:
    """The element in a collection of its own, its prefixes declared where its file had declared them."""
    body = re.sub(r"^\s*<\?xml[^>]*\?>", "", text).encode()
    prefixes = set(PREFIX.findall(body)) - {b"xml", b"xmlns"}
    declared = b"".join(b' xmlns:%s="%s"' % (prefix, NAMESPACE.encode()) for prefix in sorted(prefixes))
    whole = b'<collection xmlns="%s"%s>' % (NAMESPACE.encode(), declared) + body + b"</collection>"
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise Refused("a DTD is never read.", do="Leave it out.", code="XML_DTD")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(whole, parser)
    except etree.XMLSyntaxError as error:
        raise Refused(f"the text is no XML: line {error.lineno}.", do="Mend the element that is named.", code="XML_UNREADABLE") from None
    if len(root) != 1:
        raise Refused("the text is not one element.", do="Keep the record's own element around it.", code="XML_UNREADABLE")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + whole + b"\n"


def _json(text: str) -> bytes:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        at = f" at character {error.pos + 1:,}" if isinstance(error, json.JSONDecodeError) else ""
        raise Refused(f"the text is no JSON{at}.", do="Mend it there.", code="JSON_UNREADABLE") from None
    if not isinstance(found, dict):
        raise Refused("the text is no JSON object.", do="Keep the braces around it.", code="JSON_UNREADABLE")
    return text.replace("\n", " ").encode() + b"\n"  # a line break never stands inside a value of JSON


def _encoded(text: str, charset: str) -> bytes:
    try:
        return text.encode(charset)
    except UnicodeEncodeError:
        raise _foreign(charset) from None


def _foreign(charset: str) -> Refused:
    return Refused(f"a character of the text does not exist in {charset}.", do="Write it otherwise.", code="CHARSET_WRONG")
