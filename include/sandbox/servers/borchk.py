"""DBC's borrower check as far as its WSDL, XSD and service page tell: SOAP 1.1 over HTTP, every answer of the schema, and faults to order.

It is written without the client's code, by intention: a stand-in that shared it could not notice a mistake in it. `borrowerCheckComplex` (3.1)
has no published schema: its elements are named as the service page names its fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from include.sandbox.servers.asgi import serving
from include.sandbox.servers.ports import HOST
from include.sandbox.servers.tls import Certificates

PATH = "/3.1/soap"
_NAMESPACE = "http://oss.dbc.dk/ns/borchk"
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
FAULTS = frozenset({"busy", "busy_once", "fault", "no_xml", "somebody_else", "new_status", "endless", "not_there"})
"""busy: 503 for ever; busy_once: 503 the first time; fault: a SOAP fault; no_xml: a page of HTML; somebody_else: the answer has another user;
new_status: a status that the schema does not have; endless: more than anybody reads; not_there: 404."""


@dataclass(frozen=True)
class Borrower:
    """A patron of a library in the stand-in."""

    pin: str = ""
    municipality: str = ""
    blocked: bool = False
    privileges: tuple[str, ...] = ()


@dataclass
class Library:
    """A library that the service asks. `answers`: its system does; `municipality` empty: it cannot tell where its patrons live."""

    borrowers: dict[str, Borrower]
    municipality: str = ""
    answers: bool = True
    refuses: frozenset[str] = frozenset()


@dataclass
class BorChk:
    """A running service. `requesters` are those with a licence, each with whether residents alone are ok for it."""

    libraries: dict[str, Library]
    requesters: dict[str, bool]
    faults: set[str] = field(default_factory=set)
    asked: list[bytes] = field(default_factory=list)
    port: int = 0
    tls: bool = False

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{'localhost' if self.tls else HOST}:{self.port}{PATH}"

    def status(self, said: dict[str, str]) -> tuple[str, Borrower | None]:
        """The answer to a request, in the order in which the service comes to know: request, licence, library, borrower, municipality."""
        if not said.get("userId"):
            return "no_user_in_request", None
        if not said.get("libraryCode") or "serviceRequester" not in said:
            return "error_in_request", None
        residents = self.requesters.get(said["serviceRequester"])
        library = self.libraries.get(said["libraryCode"].upper().removeprefix("DK-"))
        if residents is None:
            return "service_not_licensed", None
        if library is None:
            return "library_not_found", None
        if said["serviceRequester"] in library.refuses:
            return "borrowercheck_not_allowed", None
        if not library.answers:
            return "service_unavailable", None
        borrower = library.borrowers.get(said["userId"])
        if borrower is None or said.get("userPincode", borrower.pin) != borrower.pin:
            return "borrower_not_found", None
        if residents and not library.municipality:
            return "municipality_check_not_supported_by_library", borrower
        return ("borrower_not_in_municipality" if residents and borrower.municipality != library.municipality else "ok"), borrower


@contextmanager
def borchk(libraries: dict[str, Library], requesters: dict[str, bool], *, tls: Certificates | None = None) -> Iterator[BorChk]:
    """Serve until the block ends."""
    service = BorChk(libraries, requesters, tls=tls is not None)

    async def post(request: Request) -> Response:
        body = await request.body()
        service.asked.append(body)
        return _ordered(service) or _answered(service, body)

    with serving(Starlette(routes=[Route(PATH, post, methods=["POST"])]), tls=tls, name="sandbox-borchk") as port:
        service.port = port
        yield service


def _ordered(service: BorChk) -> Response | None:
    """What a fault that was ordered answers."""
    if "busy_once" in service.faults:
        service.faults.discard("busy_once")
        return Response("busy", status_code=503)
    if "busy" in service.faults:
        return Response("busy", status_code=503)
    if "not_there" in service.faults:
        return Response("nothing is here", status_code=404)
    if "no_xml" in service.faults:
        return Response("<html><p>Down for maintenance<br></html>", media_type="text/html")
    if "endless" in service.faults:
        return Response(b"<a>" + b" " * 1_000_000 + b"</a>", media_type="text/xml")
    return _fault("soap:Server", "out of order") if "fault" in service.faults else None


def _answered(service: BorChk, body: bytes) -> Response:
    try:
        root = etree.fromstring(body, _PARSER)
    except etree.XMLSyntaxError:
        return _fault("soap:Client", "no XML")
    asked = next((one for one in root.iter(f"{{{_NAMESPACE}}}*") if etree.QName(one).localname.endswith("Request")), None)
    if asked is None:
        return _fault("soap:Client", "no such operation")
    said = {etree.QName(one).localname: (one.text or "").strip() for one in asked if isinstance(one.tag, str)}
    status, borrower = service.status(said)
    status = "gone_fishing" if "new_status" in service.faults else status
    user = "somebody" if "somebody_else" in service.faults else said.get("userId", "")
    more = ""
    name = etree.QName(asked).localname.removesuffix("Request")
    if name == "borrowerCheckComplex" and borrower is not None and status == "ok":
        more = "".join(f"<userPrivilege>{escape(one)}</userPrivilege>" for one in borrower.privileges)
        more += (
            f"<municipalityNumber>{escape(borrower.municipality)}</municipalityNumber><blocked>{str(borrower.blocked).lower()}</blocked>"
        )
    inside = f"<userId>{escape(user)}</userId><requestStatus>{status}</requestStatus>{more}"
    return _soap(f'<{name}Response xmlns="{_NAMESPACE}">{inside}</{name}Response>')


def _fault(code: str, text: str) -> Response:
    return _soap(f"<soap:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring></soap:Fault>", 500)


def _soap(inside: str, status: int = 200) -> Response:
    envelope = f'<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>{inside}</soap:Body></soap:Envelope>'
    return Response(envelope, status_code=status, media_type="text/xml; charset=utf-8")
