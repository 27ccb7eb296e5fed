"""NCIP over HTTP: a POST with a message, an answer with a message. Every answer is one, whatever was sent; only then does the status differ.

200 for an answer, be it a problem; 403 from an address that nobody may ask from; 408 and 413 for what takes too long or is; 503 when nothing
can be written down.
"""

from __future__ import annotations

import asyncio
import logging
from time import monotonic, perf_counter

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.circulation.doors import Caller, Doors
from connectors.circulation.journal import JournalFailed
from connectors.circulation.lockout import Guarded
from connectors.circulation.ncip.answering import KNOWN, agency_of, answered, refusal
from connectors.circulation.ncip.asking import Asking
from connectors.circulation.ncip.problems import AGENCY_REFUSED, LATER, SYNTAX, Problem
from connectors.circulation.ncip.reading import LARGEST, Message, Unreadable, read
from connectors.circulation.pins import NOBODY
from connectors.circulation.sip2.session import House
from include.engine.faults import told

log = logging.getLogger("bindery.circulation")

SECONDS = 15.0
"""How long a message may take to arrive."""


class TooLong(Exception):
    """More than a message may have."""


async def received(request: Request, largest: int = LARGEST, seconds: float = SECONDS) -> bytes:
    """The body. TooLong, or TimeoutError for one that dawdles: a caller that sends nothing costs no more than that."""
    body = bytearray()
    async with asyncio.timeout(seconds):
        async for piece in request.stream():
            body += piece
            if len(body) > largest:
                raise TooLong
    return bytes(body)


def route(house: House, path: str = "/ncip") -> Route:
    """The endpoint. The house's doors say who may ask; without them nobody may."""

    async def post(request: Request) -> Response:
        begun, address = perf_counter(), request.client.host if request.client else ""
        now = house.doors
        callers = now.from_address(address) if now else {}
        if now is None or not callers:
            house.metrics.asked("nobody", "", "forbidden", perf_counter() - begun)
            turned_away(address)
            return _xml(refusal(now or Doors(agency=""), None, Problem(AGENCY_REFUSED)), 403)
        message: Message | None = None
        name = "nobody"
        try:
            body = await received(request)
            message = read(body, KNOWN, request.headers.get("content-type", "").partition("charset=")[2].strip(" \"';") or None)
            name = await _caller(house, callers, message)
            asking = Asking(message, name, callers[name], now, Guarded(house.backend, house.lockout, f"ncip:{name}"), house.backend,
                            house.terminals.zone, house.now())  # fmt: skip
            answer, status = await answered(asking)
            code = 200
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            problem, status, code = _failed(error)
            answer = refusal(now, message, problem)
        service = message.service if message is not None and message.service in KNOWN else ""
        house.metrics.asked(name, service, status, perf_counter() - begun)
        log.log(logging.DEBUG if status == "ok" else logging.INFO, "NCIP %s of %s: %s", service or "nothing known", name, status)
        return _xml(answer, code)

    return Route(path, post, methods=["POST"])


_TOLD: dict[str, float] = {}
_AGAIN_SECONDS, _MOST_TOLD = 600.0, 1000


def turned_away(address: str) -> None:
    """Log an address that nobody may ask from, once in ten minutes: whoever sets the doors up needs it, and a flood must not fill the log."""
    now = monotonic()
    if len(_TOLD) >= _MOST_TOLD:
        for old in [old for old, at in _TOLD.items() if now - at >= _AGAIN_SECONDS]:
            del _TOLD[old]
    if now - _TOLD.get(address, -_AGAIN_SECONDS) >= _AGAIN_SECONDS and len(_TOLD) < _MOST_TOLD:
        _TOLD[address] = now
        log.warning("messages from %s are turned away: no caller of doors.yaml asks from there", address or "nowhere")


def _failed(error: Exception) -> tuple[Problem, str, int]:
    """What an error is answered with, its status for metrics, and HTTP's. What is not foreseen is told without its text, which may hold anything."""
    match error:
        case Unreadable():
            return Problem(SYNTAX, "", str(error)), "unreadable", 200
        case Problem():
            return error, "refused", 200
        case TooLong():
            return Problem(SYNTAX, "", "it is too long"), "unreadable", 413
        case TimeoutError():
            return Problem(SYNTAX, "", "it did not arrive in time"), "unreadable", 408
        case JournalFailed():
            log.critical("the journal failed: a message is not answered")
            return Problem(LATER), "failed", 503
        case _:
            log.error("a message could not be answered: %s", told(error))
            return Problem(LATER), "failed", 500


async def _caller(house: House, callers: dict[str, Caller], message: Message) -> str:
    """The name of the caller: by what it calls itself, where it asks from, and its password. Problem for anybody else."""
    agency = agency_of(message, "FromAgencyId")
    given = message.header.said("FromAgencyAuthentication") or message.header.said("FromSystemAuthentication")
    fitting = {name: caller for name, caller in callers.items() if caller.may_be(agency)}
    # Those that name the agency come before those that anybody may be, and those with a password before those without.
    for name, caller in sorted(fitting.items(), key=lambda one: (not one[1].agencies, one[1].password is None)):
        if caller.password is None or await house.pins.right(given, caller.password):
            return name
    if not fitting:
        await house.pins.right(given, NOBODY)  # so that the time it takes does not tell which agencies there are
    raise Problem(AGENCY_REFUSED, "FromAgencyAuthentication")


def _xml(body: bytes, status: int = 200) -> Response:
    return Response(body, status_code=status, media_type="application/xml; charset=utf-8", headers={"Cache-Control": "no-store"})
