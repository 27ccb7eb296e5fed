"""The board: pages inside the Airflow UI that show what came in, what went out, and what stands still. docs/flows/board.md"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as StarletteHTTPException

from include.engine.engine import Engine
from include.engine.errors import BinderyError, UnknownDelivery, Unreachable
from include.engine.faults import Unforeseen, told
from plugins.board import csrf
from plugins.board.headers import Asgi, Headers, Message, Receive, Scope, Send
from plugins.board.house import Board
from plugins.board.pages import contracts, delivery, overview, partners, quarantine, static, trace, upload
from plugins.board.render import show
from plugins.board.viewer import Person, viewer_of

log = logging.getLogger("bindery.board")

Users = Callable[..., Any]
"""A FastAPI dependency that gives the `Person` who asks, or raises HTTPException 401."""

PAGES: tuple[Any, ...] = (overview, delivery, quarantine, trace, upload, contracts, partners, static)
"""The pages' modules, in the order of the navigation. Each has a `router`, and a `NAV = (path, key of its words, for engineers alone)` if it stands there."""


def create(
    engine: Callable[[], Engine],
    users: Users,
    *,
    secret: bytes,
    run_of: Callable[[str, str], str | None] = lambda dag, run: None,
) -> FastAPI:
    """The board as an app of its own, to be mounted. `engine` is called at each request, `secret` signs forms (the same in every process).

    The guard is on the app itself, so a page that is added later has it too: no answer without a login, none to a form of another site.
    """

    async def guard(request: Request, person: Person = Depends(users)) -> None:  # noqa: B008 - how FastAPI asks
        await csrf.check(request, secret, person.name)
        await _without_nul(request)
        request.state.partners = await run_in_threadpool(board.partners)
        request.state.viewer = viewer_of(person, request.state.partners.partners)

    board = Board(engine, secret, run_of)
    app = FastAPI(title="Bindery", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(guard)])
    app.state.board = board
    app.state.nav = tuple(page.NAV for page in PAGES if hasattr(page, "NAV"))
    app.add_middleware(_Broken)
    app.add_middleware(Headers)
    for page in PAGES:
        app.include_router(page.router)
    app.add_exception_handler(StarletteHTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(BinderyError, _told)
    return app


async def _without_nul(request: Request) -> None:
    """404 for a character that PostgreSQL's texts have no place for: nobody types it, and nothing can be found by it."""
    plain = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    said = [str(value) for _, value in (await request.form()).multi_items()] if plain else []
    if any("\0" in text for text in (request.scope["path"], *request.query_params.values(), *said)):
        raise HTTPException(404)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException | StarletteHTTPException)
    return _page(request, error.status_code, error.detail if error.status_code in {400, 403, 409, 413} else "", dict(error.headers or {}))


def _not_understood(request: Request, error: Exception) -> Response:
    return _page(request, 404, "")


def _told(request: Request, error: Exception) -> Response:
    """What the engine refuses is told in its words. A delivery of another partner is not told from one that is not there."""
    assert isinstance(error, BinderyError)
    if isinstance(error, UnknownDelivery):
        return _page(request, 404, "")
    return _page(request, 503 if isinstance(error, Unreachable) else 409, str(error))


class _Broken:
    """ASGI middleware: a fault of ours ends here, in a page and in a line of the log without its text, which may hold what was looked at.

    A handler for `Exception` would do the same and let it go on to the server, which writes it down whole.
    """

    def __init__(self, app: Asgi) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception as error:
            log.error("%s %s: %s", scope.get("method", ""), scope["path"], told(error))
            if begun or scope["type"] != "http":
                raise Unforeseen("the answer broke off") from None
            await _page(Request(scope), 500, "")(scope, receive, send)


def _page(request: Request, status: int, words: str, headers: dict[str, str] | None = None) -> Response:
    known = status if status in {401, 403, 404, 409, 503} else 500 if status >= 500 else 400
    answer = show(request, "error.html", status=status, code=known, words=words)
    answer.headers.update({name: value for name, value in (headers or {}).items() if name.lower() in {"www-authenticate", "allow"}})
    return answer
