"""Netmusik's borrower check: GET or POST, a card and a PIN, one word for an answer. A contract of our own, version 1 (assumption).

    GET  /netmusik/1?libraryCode=710100&userId=1000001&userPincode=1234
    POST /netmusik/1       the same names, as a form            ->      {"version": 1, "userId": "1000001", "status": "ok"}

What the music service really sends is not public: the names and the words are those of DBC's borrower check (borchk.xsd), and the PIN must
be there. A wrong PIN is answered like a card that is not there. Addresses of parameters are not logged; a proxy in front must not either.
"""

from __future__ import annotations

import logging
from time import perf_counter
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.circulation.backend import Away
from connectors.circulation.domain import Credentials
from connectors.circulation.doors import Doors, within
from connectors.circulation.lockout import Guarded
from connectors.circulation.ncip.asking import plain_card
from connectors.circulation.ncip.route import TooLong, received, turned_away
from connectors.circulation.sip2.session import House

log = logging.getLogger("bindery.circulation")

VERSION = 1
LARGEST = 4096
"""Bytes of a form."""


def routes(house: House, path: str = "/netmusik/1") -> list[Route]:
    """The endpoint. Without a netmusik door nobody may ask."""

    async def ask(request: Request) -> Response:
        begun, doors = perf_counter(), house.doors
        door = doors.netmusik if doors else None
        if doors is None or door is None or not within(request.client.host if request.client else "", door.addresses):
            house.metrics.asked("netmusik", "netmusik", "forbidden", perf_counter() - begun)
            turned_away(request.client.host if request.client else "")
            return _answer("borrowercheck_not_allowed", "", 403)
        try:
            given = request.url.query if request.method == "GET" else (await received(request, LARGEST)).decode("utf-8", "replace")
        except (TooLong, TimeoutError):
            given = ""
        except ClientDisconnect:
            return Response(status_code=400)
        said = {name: values[0].strip() for name, values in _parsed(given).items()}
        user = said.get("userId", "")
        status = await _status(house, doors, said)
        house.metrics.asked("netmusik", "netmusik", status, perf_counter() - begun)
        log.log(logging.DEBUG if status == "ok" else logging.INFO, "a borrower check of netmusik: %s", status)
        return _answer(status, user)

    return [Route(path, ask, methods=["GET", "POST"])]


def _parsed(text: str) -> dict[str, list[str]]:
    try:
        return parse_qs(text, max_num_fields=20)
    except ValueError:
        return {}


async def _status(house: House, doors: Doors, said: dict[str, str]) -> str:
    """The word for an answer, by the list of borchk.xsd."""
    card, pin, library = said.get("userId", ""), said.get("userPincode", ""), said.get("libraryCode", "")
    if not card:
        return "no_user_in_request"
    if not pin:
        return "error_in_request"
    if not doors.is_ours(library):
        return "library_not_found"
    assert doors.netmusik is not None
    try:
        patron = await Guarded(house.backend, house.lockout, "netmusik").patron(Credentials(plain_card(card), pin), whole=False)
    except Away:
        return "service_unavailable"
    if patron is not None and not patron.patron and not patron.pin_right:
        return "service_unavailable"  # a card alone, while the library system is away
    if patron is None or not patron.pin_right:
        return "borrower_not_found"
    if not doors.netmusik.residents_only:
        return "ok"
    if not doors.municipality or not patron.municipality:
        return "municipality_check_not_supported_by_library"
    return "ok" if patron.municipality.lstrip("0") == doors.municipality.lstrip("0") else "borrower_not_in_municipality"


def _answer(status: str, user: str, code: int = 200) -> Response:
    body = {"version": VERSION, "userId": user, "status": status}
    return JSONResponse(body, status_code=code, headers={"Cache-Control": "no-store"})
