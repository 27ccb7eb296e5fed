"""SIP2 over HTTPS, as Danish libraries agreed on it: one line in, one line out, in a small XML envelope.

    POST <ns1:sip login="" password=""><request>11YN...</request></ns1:sip>      ->      <ns1:sip><response>121N...</response></ns1:sip>

Source: "SIP2 over HTTPS" of the Danish RFID data model group (biblstandard.dk, 16 December 2013) and its schema, sip.xsd 1.7: the namespace
is `http://axiell.com/Schema/sip.xsd`, the inner elements have none. Every request logs in by itself; there are no sequence numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

from lxml import etree
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.circulation.backend import Away
from connectors.circulation.journal import JournalFailed
from connectors.circulation.ncip.route import TooLong, received
from connectors.circulation.sip2.answering import ANSWERS, acs_status, answered, away, line
from connectors.circulation.sip2.codec import Unreadable, parse
from connectors.circulation.sip2.framing import LONGEST
from connectors.circulation.sip2.session import House

NAMESPACE = "http://axiell.com/Schema/sip.xsd"
LARGEST = LONGEST * 6
"""Bytes of a request: a line, each of its characters written as a reference."""
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True)


class Unfit(ValueError):
    """A body that is no request."""


@dataclass(frozen=True)
class Envelope:
    """What one body says: who, and which line (`request`), or what came of it (`response` or `error`)."""

    login: str = ""
    password: str = ""
    request: str | None = None
    response: str | None = None
    error: str | None = None


def opened(body: bytes) -> Envelope:
    """The envelope in a body. Unfit when it is none; a document type is refused, whatever it declares."""
    try:
        root = etree.fromstring(body, _PARSER)
    except etree.XMLSyntaxError as error:
        raise Unfit(f"it is no XML: {error.msg}") from None
    if getattr(root.getroottree().docinfo, "doctype", ""):
        raise Unfit("it has a document type")
    if etree.QName(root).localname != "sip":
        raise Unfit("its root is not sip")
    inner = {etree.QName(child).localname: child.text or "" for child in root if isinstance(child.tag, str)}
    known = {name: inner[name] for name in ("request", "response", "error") if name in inner}
    if len(known) != 1:
        raise Unfit("it holds not one request, response or error")
    return Envelope(root.get("login", ""), root.get("password", ""), **known)


def sealed(envelope: Envelope) -> bytes:
    """The body of an envelope. What XML cannot hold becomes a blank."""
    root = etree.Element(etree.QName(NAMESPACE, "sip"), nsmap={"ns1": NAMESPACE})
    if envelope.request is not None:
        root.set("login", _holdable(envelope.login))
        root.set("password", _holdable(envelope.password))
    for name in ("request", "response", "error"):
        text = getattr(envelope, name)
        if text is not None:
            etree.SubElement(root, name).text = _holdable(text)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _holdable(text: str) -> str:
    return "".join(char if char >= " " and char not in "\ufffe\uffff" and not "\ud800" <= char <= "\udfff" else " " for char in text)


def route(house: House, path: str = "/sip2") -> Route:
    """The endpoint. It answers 200 with a response or an error, as the schema has them; 400 and 413 for what is no request."""

    async def post(request: Request) -> Response:
        try:
            body = await received(request, LARGEST)
        except TooLong:
            return _xml(Envelope(error="the request is too long"), 413)
        except TimeoutError:
            return _xml(Envelope(error="the request did not come whole"), 408)
        except ClientDisconnect:
            return Response(status_code=400)
        try:
            envelope = opened(body)
            if envelope.request is None:
                raise Unfit("it holds no request")
        except Unfit as unfit:
            return _xml(Envelope(error=f"this is no request: {unfit}"), 400)
        return _xml(await _answered(house, envelope, request.client.host if request.client else ""))

    return Route(path, post, methods=["POST"])


async def _answered(house: House, envelope: Envelope, address: str) -> Envelope:
    login = envelope.login.strip()
    terminal = await house.admitted(login, envelope.password, address)
    if terminal is None:
        return Envelope(error="the login was refused")
    context = house.context(login, terminal)
    assert envelope.request is not None
    try:
        asked = parse(envelope.request.strip(), context.profile.framing.delimiter)
    except Unreadable:
        return Envelope(response="96")
    if asked.code == "93":
        return Envelope(response="941")
    if asked.code == "99":
        return Envelope(response=line(context, acs_status(context, online=await house.backend.online())))
    if asked.code not in ANSWERS:
        return Envelope(response="96")
    begun, status = perf_counter(), "failed"
    try:
        try:
            answer = await answered(context, asked)
        except Away:
            answer = away(context, asked)
        status = answer.status
    except JournalFailed:
        return Envelope(error="nothing can be written down now: try again later")
    finally:
        house.metrics.count(login, asked.code, status, perf_counter() - begun)
    return Envelope(response=line(context, answer))


def _xml(envelope: Envelope, status: int = 200) -> Response:
    return Response(sealed(envelope), status_code=status, media_type="text/xml; charset=utf-8")
