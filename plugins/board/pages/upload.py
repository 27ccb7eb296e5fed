"""`/upload`: a library's staff drop a file into their own inbox, and watch it go through."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from urllib.parse import unquote

import anyio
import anyio.from_thread
import anyio.to_thread
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.requests import ClientDisconnect

from include.engine.delivery import FINISHED, State
from include.engine.errors import BinderyError, Unreachable
from include.engine.inbound.drop import drop, inboxes
from include.engine.ledger import pauses
from include.engine.partner.settings import InboxFlow, Partner
from include.engine.reasons import advice, table, words
from plugins.board.house import Settled, Using
from plugins.board.reads import uploads
from plugins.board.render import show, url
from plugins.board.say import language_of
from plugins.board.viewer import Looking

router = APIRouter()
NAV = ("/upload", "base.upload", False)
NAME = "x-file-name"
"""The header with the file's name, its characters escaped as in an address."""
_AT_ONCE = anyio.CapacityLimiter(8)
"""Files that are taken in at a time; a slow line holds a thread as long as it sends, and the threads of pages are Airflow's too."""
_MOST_FORMS = 6
"""Partners whose forms stand on one page; of more, the viewer chooses one first."""
_STEPS = (State.CLAIMED, State.STAGED, State.GATED, State.PUBLISHED, State.ACKNOWLEDGED)


@router.get("/upload", response_class=HTMLResponse)
def choose(request: Request, viewer: Looking, engine: Using, settled: Settled, partner: str = "") -> HTMLResponse:
    """Where a file can be dropped, what is agreed upon there, and what was dropped last."""
    with engine.ledger.read() as tx:
        last = uploads.last(tx, viewer.partners)
    some = sorted(
        (one for one in settled.partners.values() if inboxes(one) and partner in ("", one.id)), key=lambda one: one.name.casefold()
    )
    many = len(some) > _MOST_FORMS
    return show(
        request,
        "upload.html",
        partners=[] if many else [(one, inboxes(one)) for one in some],
        choice=some if many else [],
        some=bool(some),
        last=[one for one in last if partner in ("", one.partner)],
        partner=partner,
    )


@router.post("/upload/{partner}/{flow}")
async def dropped(request: Request, viewer: Looking, engine: Using, settled: Settled, partner: str, flow: str) -> JSONResponse:
    """The file's bytes are the request's body, its name a header: nothing of it is ever written anywhere but into the inbox."""
    found, _ = _inbox(settled, partner, flow)
    name = unquote(request.headers.get(NAME, ""))
    if not name:
        raise HTTPException(400)
    length = request.headers.get("content-length", "")
    chunks = request.stream()
    job = partial(drop, engine, found, flow, name, _blocks(chunks), who=viewer.name, size=int(length) if length.isdecimal() else None)
    try:
        done = await anyio.to_thread.run_sync(job, limiter=_AT_ONCE)
    except BinderyError as error:
        return _refused(error, language_of(request))
    except ClientDisconnect:
        return JSONResponse({}, 400)
    return JSONResponse({"to": url(request, f"/upload/{partner}/{flow}/{done.sha256}")}, 201)


@router.get("/upload/{partner}/{flow}/{sha256}", response_class=HTMLResponse)
def watch(request: Request, viewer: Looking, engine: Using, settled: Settled, partner: str, flow: str, sha256: str) -> HTMLResponse:
    """How far a dropped file has come; the page keeps itself up to date until it has come through."""
    _, settings = _inbox(settled, partner, flow)
    with engine.ledger.read() as tx:
        found = uploads.find(tx, partner, flow, sha256)
        if found is None:
            raise HTTPException(404)
        way = uploads.way(tx, found, settings.inbox)
        paused = pauses.of(pauses.find(engine.ledger, tx=tx), partner, flow)
    one = way.delivery
    ended = one is not None and one.state in FINISHED
    reached = -1 if one is None or one.state not in _STEPS else _STEPS.index(one.state)
    return show(
        request, "watch.html", one=one, dropped=found, way=way, ended=ended, paused=paused, partner=partner,
        steps=[(state, number <= reached, number == reached + 1 and not ended and one is not None) for number, state in enumerate(_STEPS)],
    )  # fmt: skip


def _inbox(settled: Settled, partner: str, flow: str) -> tuple[Partner, InboxFlow]:
    """The partner's flow; 404 for a partner that the viewer may not see, or a flow without an inbox."""
    found = settled.partners.get(partner)
    if found is None or flow not in inboxes(found):
        raise HTTPException(404)
    return found, inboxes(found)[flow]


def _blocks(chunks: AsyncIterator[bytes]) -> Iterator[bytes]:
    """The body as it comes, for a thread that writes it: the browser is read no faster than the inbox takes it."""

    async def following() -> bytes | None:
        return await anext(chunks, None)

    while (block := anyio.from_thread.run(following)) is not None:
        if block:
            yield block


def _refused(error: BinderyError, language: str) -> JSONResponse:
    known = error.code in table()
    said = words(error.code, language, **error.values) if known else error.what
    status = 413 if error.code == "FILE_TOO_LARGE" else 503 if isinstance(error, Unreachable) else 409
    return JSONResponse({"words": said, "advice": advice(error.code, language) if known else ""}, status)
