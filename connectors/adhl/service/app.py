"""The service as an ASGI application: / for requests, /health for whoever watches, ?wsdl and ?xsd for whoever wants to know the interface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.adhl.service.answer import fault, found, written
from connectors.adhl.service.asked import LARGEST, SOAP, Asked, Malformed, of_query, of_xml
from connectors.adhl.service.newest import Newest

_HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-store"}
_BODY_SECONDS = 10.0
_FORM = "application/x-www-form-urlencoded"


def application(root: Path, *, look_seconds: float = 2.0) -> Starlette:
    """The service over the releases in `root`, which may still be empty: then every search "could not" be performed."""
    newest = Newest(root)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(newest.look)
        looking = asyncio.create_task(newest.keep_looking(look_seconds))
        try:
            yield
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking

    async def ask(request: Request) -> Response:
        if request.method in ("GET", "HEAD"):
            query = request.url.query
            if query.lower() in ("wsdl", "xsd"):
                return _interface(query.lower(), str(request.url.replace(query="")))
            return _answer(newest, query, None)
        body = await _body(request)
        if isinstance(body, Response):
            return body
        if request.headers.get("content-type", "").startswith(_FORM):
            return _answer(newest, body.decode("utf-8", "replace"), None)
        return _answer(newest, None, body)

    async def health(_request: Request) -> Response:
        index = newest.index
        told = {"release": index.manifest.snapshot, "titles": index.titles} if index else {"release": None, "titles": 0}
        well = index is not None and newest.problem is None
        return JSONResponse({"status": "ok" if well else "degraded", **told, "problem": newest.problem}, 200 if index else 503)

    routes = [Route("/", ask, methods=["GET", "POST"]), Route("/health", health)]
    return Starlette(routes=routes, lifespan=lifespan)


async def _body(request: Request) -> bytes | Response:
    """The request's body, or the answer to one that is too large or too slow."""
    parts, size = [], 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > LARGEST:
                    return _refused(f"a request is {LARGEST:,} bytes at most", 413, None)
                parts.append(part)
    except TimeoutError:
        return _refused(f"the request did not come within {_BODY_SECONDS:.0f} seconds", 408, None)
    except ClientDisconnect:
        return Response(status_code=400)
    return b"".join(parts)


def _answer(newest: Newest, query: str | None, body: bytes | None) -> Response:
    try:
        asked: Asked = of_query(query) if query is not None else of_xml(body or b"")
    except Malformed as wrong:
        # SOAP 1.1 section 6.2: a fault comes with status 500. REST has 400 for the same.
        return _refused(str(wrong), 400 if query is not None else 500, None if query is not None else SOAP[0])
    content, kind = written(asked, found(asked, newest.index))
    return Response(content, media_type=kind, headers=_HEADERS)


def _refused(what: str, status: int, soap: str | None) -> Response:
    if soap is None and status == 400:
        return JSONResponse({"error": {"$": what}}, status, _HEADERS)
    content, kind = fault(what, soap)
    return Response(content, status, media_type=kind, headers=_HEADERS)


def _interface(which: str, place: str) -> Response:
    text = _file(f"adhl.{which}").replace("{place}", place.rstrip("?").replace("&", "&amp;").replace('"', "&quot;"))
    return Response(text.encode(), media_type="text/xml; charset=utf-8", headers=_HEADERS)


@cache
def _file(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
