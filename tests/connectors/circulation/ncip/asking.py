"""A caller of NCIP, over a real socket: messages in both versions, and answers that are valid by the schema or else fail the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import httpx
from lxml import etree
from starlette.applications import Starlette

import connectors.circulation.ncip as code
from connectors.circulation.backend import Backend
from connectors.circulation.doors import SERVICES, Doors
from connectors.circulation.metrics import Metrics
from connectors.circulation.serving import doors_of
from connectors.circulation.sip2.session import House
from include.sandbox.servers.asgi import serving
from tests.connectors.circulation.running import PASSWORD, terminals

SECRET = "secret"
SCHEMAS = Path(code.__file__).parent / "schema"
NEW = etree.XMLSchema(etree.parse(SCHEMAS / "ncip_v2_02_answers.xsd"))
OLD = etree.DTD(str(SCHEMAS / "ncip_v1_01_answers.dtd"))
ISIL = "http://biblstandard.dk/isil/schemes/1.1/"
V1 = "http://www.niso.org/ncip/v1_01/imp1/dtd/ncip_v1_01.dtd"
V2 = "http://www.niso.org/schemas/ncip/v2_02/ncip_v2_02.xsd"
EVERYTHING = ["name", "address", "birth_date", "language", "privilege", "blocks", "municipality", "loans", "holds", "fees"]


def doors(**callers: dict[str, Any]) -> Doors:
    """The doors of Lindeby: DBC may look users up, and its own system may do everything."""
    own = {"agencies": ["DK-999999"], "password": PASSWORD, "services": list(SERVICES), "tells": EVERYTHING, "branch": "main", "mandates": True,
           "category": "adult"}  # fmt: skip
    dbc = {"agencies": ["DK-190101"], "addresses": ["127.0.0.0/8", "192.0.2.0/28"], "tells": ["name", "municipality"]}
    return Doors.model_validate(
        {"agency": "DK-710100", "municipality": "101", "callers": {"own": own, "dbc": dbc} | callers,
         "netmusik": {"addresses": ["127.0.0.1/32"], "residents_only": True}}
    )  # fmt: skip


class Caller:
    """One who asks. Every answer is checked against the schema of its version."""

    def __init__(self, port: int, house: House) -> None:
        self.house = house
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20)

    def post(self, body: bytes, **headers: str) -> httpx.Response:
        """What came back, which is valid NCIP whatever was sent."""
        answer = self.http.post("/ncip", content=body, headers={"Content-Type": "application/xml"} | headers)
        valid(answer.content)
        return answer

    def ask(self, inside: str, *, old: bool = False, agency: str = "DK-999999", password: str = SECRET) -> list[str]:
        """An answer as lines `path text`, without its header."""
        return lines(self.post(message(inside, old=old, agency=agency, password=password)).content)


@contextmanager
def caller(backend: Backend, now: Any, known: Doors | None = None) -> Iterator[Caller]:
    """A server with these doors, and one who asks it."""
    house = House(backend, terminals(), {}, Metrics(), now=now, doors=known or doors())
    with serving(Starlette(routes=doors_of(house))) as port:
        found = Caller(port, house)
        yield found
        found.http.close()
        house.pins.close()


def message(inside: str, *, old: bool = False, agency: str = "DK-999999", password: str = SECRET, to: str = "DK-710100") -> bytes:
    """A whole message. `inside` is `<Service>...</Service>` by 2.02's names; its header is put in."""
    cut = inside.index(">") + 1 if not inside.endswith("/>") else -2
    if cut == -2:
        name = inside[1:-2].strip()
        inside = f"<{name}></{name}>"
        cut = len(name) + 2
    proof = f"<FromAgencyAuthentication>{escape(password)}</FromAgencyAuthentication>" if password else ""
    header = f"<InitiationHeader><FromAgencyId>{_agency(agency, old)}</FromAgencyId>{proof}<ToAgencyId>{_agency(to, old)}</ToAgencyId></InitiationHeader>"
    if old:
        kind = f'<!DOCTYPE NCIPMessage PUBLIC "-//NISO//NCIP DTD Version 1.01//EN" "{V1}">'
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{kind}<NCIPMessage version="{V1}">{inside[:cut]}{header}{inside[cut:]}</NCIPMessage>'.encode()
    space = f'xmlns="http://www.niso.org/2008/ncip" xmlns:ncip="http://www.niso.org/2008/ncip" ncip:version="{V2}"'
    return f"<NCIPMessage {space}>{inside[:cut]}{header}{inside[cut:]}</NCIPMessage>".encode()


def _agency(name: str, old: bool) -> str:
    if old:
        return f"<UniqueAgencyId><Scheme>{ISIL}</Scheme><Value>{name}</Value></UniqueAgencyId>"
    return f'<AgencyId ncip:Scheme="{ISIL}">{name}</AgencyId>'


def user(card: str, old: bool = False) -> str:
    """A user's identifier."""
    if old:
        return f"<UniqueUserId>{_agency('DK-710100', True)}<UserIdentifierValue>{card}</UserIdentifierValue></UniqueUserId>"
    return f"<UserId><UserIdentifierValue>{card}</UserIdentifierValue></UserId>"


def record(title: str) -> str:
    """A title by its control number, as 2.02 has it."""
    return (f"<BibliographicId><BibliographicRecordId><BibliographicRecordIdentifier>{title}</BibliographicRecordIdentifier>"
            "<BibliographicRecordIdentifierCode>FAUST</BibliographicRecordIdentifierCode></BibliographicRecordId></BibliographicId>")  # fmt: skip


def item(barcode: str, old: bool = False) -> str:
    """An item's identifier."""
    if old:
        return f"<UniqueItemId>{_agency('DK-710100', True)}<ItemIdentifierValue>{barcode}</ItemIdentifierValue></UniqueItemId>"
    return f"<ItemId><ItemIdentifierValue>{barcode}</ItemIdentifierValue></ItemId>"


def proof(card: str, pin: str | None = None, old: bool = False) -> str:
    """AuthenticationInput with a card, and with a PIN."""
    given = [("User Id", card)] + ([("PIN", pin)] if pin is not None else [])
    return "".join(
        f"<AuthenticationInput><AuthenticationInputData>{data}</AuthenticationInputData>"
        f"<AuthenticationDataFormatType>{pair('text/plain', old)}</AuthenticationDataFormatType>"
        f"<AuthenticationInputType>{pair(kind, old)}</AuthenticationInputType></AuthenticationInput>"
        for kind, data in given
    )


def pair(text: str, old: bool) -> str:
    """A value of a scheme."""
    return f"<Scheme>http://www.niso.org/</Scheme><Value>{text}</Value>" if old else text


def elements(*names: str, of: str = "User", old: bool = False) -> str:
    """What a message asks to be told."""
    return "".join(f"<{of}ElementType>{pair(name, old)}</{of}ElementType>" for name in names)


def valid(body: bytes) -> None:
    """An answer is valid: by the schema of 2.02 where it has its namespace, else by the document type of 1.01."""
    root = etree.fromstring(body)
    if root.tag.startswith("{"):
        NEW.assertValid(root)
    else:
        OLD.assertValid(root)
        assert root.getroottree().docinfo.public_id in ("-//NISO//NCIP DTD Version 1.01//EN", "-//NISO//NCIP DTD Version 1.0//EN")


def lines(body: bytes) -> list[str]:
    """An answer as lines: the path of each text, and the text; agencies, schemes and the header are left out."""
    found: list[str] = []

    def walk(element: etree._Element, path: str) -> None:
        for child in element:
            name = etree.QName(child).localname
            if name in ("ResponseHeader", "AgencyId", "UniqueAgencyId", "Scheme"):
                continue
            place = path if name == "Value" else f"{path}/{name}" if path else name
            if len(child) == 0:
                found.append(f"{place} {child.text or ''}".rstrip())
            walk(child, place)

    walk(etree.fromstring(body), "")
    return found
