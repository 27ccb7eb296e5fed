"""A request, out of SOAP, bare XML or a query string. What comes from outside is small, has no DTD, and holds nothing that the XSD does not name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl

from lxml import etree

Kind = Literal["adhlRequest", "topTenRequest", "pingRequest"]
KINDS: dict[str, Kind] = {"adhlrequest": "adhlRequest", "toptenrequest": "topTenRequest", "pingrequest": "pingRequest"}
NAMESPACE = "http://oss.dbc.dk/ns/adhl"
SOAP = (
    "http://schemas.xmlsoap.org/soap/envelope/",
    "http://schemas.xmlsoap.org/soap/envelope",  # as in DBC's own example
    "http://www.w3.org/2003/05/soap-envelope",
)
DEFAULT_RECORDS, MOST_RECORDS, MOST_PIDS = 20, 100, 100
LARGEST = 64 * 1024
"""Bytes of a request's body."""
_CALLBACK = re.compile(r"[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*", re.ASCII)


class Malformed(Exception):
    """A request that cannot be answered as it is; says what is wrong with it."""


@dataclass(frozen=True)
class Asked:
    """One request. `soap` is the namespace of the envelope it came in, None where there was none; `pids` is empty for topTenRequest."""

    kind: Kind
    pids: tuple[str, ...]
    records: int = DEFAULT_RECORDS
    json: bool = False
    callback: str | None = None
    soap: str | None = None


def of_query(query: str) -> Asked:
    """`ADHLRequest&pid=870970-basis:29938768&numRecords=5&outputType=json&callback=show`. Malformed names what is wrong.

    A parameter that is not ours is left alone: jQuery adds one of its own to each JSONP request.
    """
    try:
        told = parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PIDS + 20, errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise Malformed("the query string cannot be read, or has too many parameters") from None
    kinds = [KINDS[name.lower()] for name, value in told if name.lower() in KINDS and not value]
    kinds += [KINDS[value.lower()] for name, value in told if name == "action" and value.lower() in KINDS]
    if len(kinds) != 1:
        raise Malformed("name one request: ADHLRequest, topTenRequest or pingRequest")
    return _asked(kinds[0], ((name, value) for name, value in told if name in ("pid", "numRecords", "outputType", "callback")), None)


def of_xml(body: bytes) -> Asked:
    """A SOAP envelope (1.1, or 1.2) with one request in its body, or the request by itself. Malformed names what is wrong."""
    try:
        root = etree.fromstring(body, _parser())
    except etree.XMLSyntaxError as error:
        raise Malformed(f"this is no XML in UTF-8: {error.msg}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise Malformed("a document type declaration is not allowed")
    soap = root.nsmap.get(root.prefix) if etree.QName(root).localname == "Envelope" else None
    if soap is not None:
        if soap not in SOAP:
            raise Malformed("the envelope is not SOAP's")
        body_of = root.find(f"{{{soap}}}Body")
        inside = [] if body_of is None else _elements(body_of)
        if len(inside) != 1:
            raise Malformed("the envelope's body must hold one request")
        root = inside[0]
    name = etree.QName(root)
    if name.namespace != NAMESPACE or name.localname not in KINDS.values():
        raise Malformed(f"{_told(name.localname)} is none of adhlRequest, topTenRequest, pingRequest of {NAMESPACE}")
    return _asked(KINDS[name.localname.lower()], _values(root), soap)


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, encoding="utf-8")


def _values(request: etree._Element) -> list[tuple[str, str]]:
    """(name, text) of each value, those inside `id` too."""
    found: list[tuple[str, str]] = []
    for element in _elements(request):
        name = etree.QName(element)
        inside = _elements(element)
        if name.namespace != NAMESPACE or name.localname not in ("id", "numRecords", "outputType", "callback"):
            raise Malformed(f"there is no element {_told(name.localname)} in a request")
        if name.localname != "id":
            if inside:
                raise Malformed(f"{name.localname} holds a text alone")
            found.append((name.localname, (element.text or "").strip()))
            continue
        for one in inside:
            if one.tag != f"{{{NAMESPACE}}}pid" or len(one):
                raise Malformed(f"there is no element {_told(etree.QName(one).localname)} in an id")
            found.append(("pid", (one.text or "").strip()))
    return found


def _elements(parent: etree._Element) -> list[etree._Element]:
    return [child for child in parent if isinstance(child.tag, str)]


def _asked(kind: Kind, values: Iterable[tuple[str, str]], soap: str | None) -> Asked:
    told: dict[str, list[str]] = {}
    for name, value in values:
        told.setdefault(name, []).append(value)
    pids = tuple(pid.strip() for pid in told.pop("pid", []) if pid.strip())
    if any(len(found) > 1 for found in told.values()):
        raise Malformed("numRecords, outputType and callback are given once at most")
    single = {name: found[0] for name, found in told.items()}
    if kind == "topTenRequest":
        if pids:
            raise Malformed("topTenRequest takes no pid")
    elif not pids:
        raise Malformed("give one pid at least")
    if len(pids) > MOST_PIDS:
        raise Malformed(f"give {MOST_PIDS} pids at most")
    json = single.get("outputType", "").upper() == "JSON"
    return Asked(kind, pids, _records(single.get("numRecords", "")), json, _callback(single.get("callback", "")) if json else None, soap)


def _records(text: str) -> int:
    if not text:
        return DEFAULT_RECORDS
    if not (text.isascii() and text.removeprefix("+").isdigit() and len(text) <= 10 and int(text) > 0):
        raise Malformed("numRecords must be a whole number from 1")
    return min(int(text), MOST_RECORDS)


def _callback(text: str) -> str | None:
    if not text:
        return None
    if len(text) > 100 or not _CALLBACK.fullmatch(text):
        raise Malformed("callback must be the name of a JavaScript function, with dots between its parts")
    return text


def _told(name: str) -> str:
    return name[:40]
