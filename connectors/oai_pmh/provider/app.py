"""The provider as an ASGI application: /oai for harvesters, /health for whoever keeps it running."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from connectors.oai_pmh.provider.desk import Desk, Reply, takes_gzip
from connectors.oai_pmh.provider.rate import Rate
from connectors.oai_pmh.provider.repository import Repository
from include.engine.errors import BinderyError, Unreachable
from include.engine.faults import told

LARGEST = 16 << 10  # bytes of a form
SLOWEST = 10.0  # seconds in which a form must have come
THREADS = 4
_SOON = "5"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def application(repository: Repository) -> App:
    """The application of one provider. Memory is that of THREADS pages, whatever the length of a list."""
    desk, rate = Desk(repository), Rate(repository.rate)
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="oai")
    waiting = 0

    async def run(work: Callable[..., Reply], *arguments: Any) -> Reply:
        nonlocal waiting
        if waiting >= repository.busy:
            return _later("1", "Too many requests at once.")
        waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work, *arguments)
        except BinderyError as error:
            if not (isinstance(error, Unreachable) and error.code == "OAI_INDEX_MISSING"):
                print(error, file=sys.stderr, flush=True)
            return _later(_SOON, "The provider is not ready.")
        except Exception as error:
            print(told(error), file=sys.stderr, flush=True)
            return _text(500, "Something went wrong here; it was noted.")
        finally:
            waiting -= 1

    async def reply(scope: Scope, receive: Receive) -> Reply:
        path, method = scope["path"].rstrip("/"), scope["method"]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if path == "/health":
            return await run(desk.health) if method in ("GET", "HEAD") else _text(405, "GET, HEAD", ("allow", "GET, HEAD"))
        if path != "/oai":
            return _text(404, "The provider is at /oai.")
        if method not in ("GET", "HEAD", "POST"):
            return _text(405, "GET, HEAD, POST", ("allow", "GET, HEAD, POST"))
        if seconds := rate.wait(str((scope.get("client") or ("",))[0]), time.monotonic()):
            return _later(str(seconds), "You ask faster than agreed.")
        query: bytes = scope["query_string"]
        if method == "POST":
            if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
                return _text(415, "A form (application/x-www-form-urlencoded) is taken, and nothing else.")
            try:
                form = await asyncio.wait_for(_form(receive), SLOWEST)
            except TimeoutError:
                return _text(408, "The form did not come.", ("connection", "close"))
            if form is None:
                return _text(413, f"A form has at most {LARGEST} bytes.", ("connection", "close"))
            query = form + (b"&" + query if query else b"")
        return await run(desk.harvest, query, takes_gzip(headers.get("accept-encoding", "")), headers.get("if-none-match", ""))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _life(receive, send, threads)
        elif scope["type"] == "http":
            await _send(await reply(scope, receive), scope["method"] == "HEAD", send)

    return app


async def _form(receive: Receive) -> bytes | None:
    """The body; None when it is too large."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST:
            return None
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return bytes(body)


async def _life(receive: Receive, send: Send, threads: ThreadPoolExecutor) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            threads.shutdown(cancel_futures=True)
            return


async def _send(reply: Reply, head: bool, send: Send) -> None:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in reply.headers]
    if reply.status != 304:
        headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": [*headers, (b"x-content-type-options", b"nosniff")]})
    await send({"type": "http.response.body", "body": b"" if head else reply.body})


def _text(status: int, words: str, *headers: tuple[str, str]) -> Reply:
    return Reply(status, [("content-type", "text/plain; charset=utf-8"), *headers], words.encode() + b"\n")


def _later(seconds: str, words: str) -> Reply:
    return _text(503, words, ("retry-after", seconds))
