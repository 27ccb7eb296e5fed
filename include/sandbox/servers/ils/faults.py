"""What goes wrong, when it is switched on: each fault a number of times. It sits before the application, as a proxy would."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from threading import Event

from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from include.sandbox.servers.switches import Switches

FAULTS = (
    "slow",  # the answer comes `seconds` late
    "token_expires",  # the next call: 401, and every token given so far is worth nothing
    "busy",  # 429 with Retry-After
    "maintenance",  # 503
    "error",  # 500, nothing was done
    "page",  # 200 and a page for people, nothing was done
    "change_lost",  # a change is not done, the answer is 500
    "change_error",  # a change is done, the answer is 500
    "change_page",  # a change is not done, the answer is 200 and a page for people, as of a proxy before a system that is being mended
    "change_hangs",  # a change is done, the answer comes `seconds` late
    "change_late",  # the answer is 504 at once, as of a proxy before a system that dawdles, and the change is done once `release` is set
    "change_cut",  # a change is done, the connection is closed without an answer
)
_CHANGES = ("POST", "PUT", "DELETE")


@dataclass
class Faults(Switches):
    """The switches, and a proxy that obeys them; `asked` is every call that came in, as method and path.

    `refuses` is the status with which calls are refused, by method and a pattern of the path, until it is taken out: 403 where our user may not.
    """

    names: tuple[str, ...] = FAULTS
    seconds: float = 0.3
    spared: int = 0
    retry_after: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)
    refuses: dict[tuple[str, str], int] = field(default_factory=dict)
    release: Event = field(default_factory=Event)
    exempt: frozenset[str] = frozenset()
    """Paths to which no fault comes: where tokens are had."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def before(self, app: ASGIApp) -> ASGIApp:
        """The application with its faults."""

        async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            path, change = scope["path"], scope["method"] in _CHANGES
            self.asked.append((scope["method"], path))
            if path in self.exempt:
                await app(scope, receive, send)
                return
            if instead := self._refused(scope["method"], path) or self._instead():
                await instead(scope, receive, send)
                return
            if self.take("slow"):
                await asyncio.sleep(self.seconds)
            due = change and any(self.left[name] for name in self.names if name.startswith("change_"))
            if not due or self.spared > 0:
                self.spared -= due
                await app(scope, receive, send)
                return
            if self.take("change_lost"):
                await PlainTextResponse("Internal server error", 500)(scope, receive, send)
                return
            if self.take("change_page"):
                await HTMLResponse("<html><body>We will be back soon</body></html>")(scope, receive, send)
                return
            if self.take("change_cut"):
                await app(scope, receive, _swallow)
                return  # uvicorn closes the connection of an application that did not answer
            if self.take("change_error"):
                await app(scope, receive, _swallow)
                await PlainTextResponse("Internal server error", 500)(scope, receive, send)
                return
            if self.take("change_late"):
                self._tasks.add(asyncio.create_task(self._late(app, scope, await _whole(receive))))
                await PlainTextResponse("Gateway time-out", 504)(scope, receive, send)
                return
            self.take("change_hangs")
            kept: list[Message] = []

            async def keep(message: Message) -> None:
                kept.append(message)

            await app(scope, receive, keep)
            await asyncio.sleep(self.seconds)
            for message in kept:
                await send(message)

        return faulty

    async def _late(self, app: ASGIApp, scope: Scope, body: bytes) -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        while not self.release.is_set():
            await asyncio.sleep(0.005)
        await app(scope, receive, _swallow)

    def _refused(self, method: str, path: str) -> Response | None:
        for (one, pattern), status in self.refuses.items():
            if one == method and re.fullmatch(pattern, path):
                return JSONResponse({"error": "Refused", "errors": [{"message": "Refused"}]}, status)
        return None

    def _instead(self) -> Response | None:
        if self.take("busy"):
            return JSONResponse({"error": "Too many requests"}, 429, {"Retry-After": str(self.retry_after)})
        if self.take("maintenance"):
            return JSONResponse({"error": "System is under maintenance."}, 503)
        if self.take("error"):
            return JSONResponse({"error": "Something went wrong, check Koha logs for details.", "error_code": "internal_server_error"}, 500)
        if self.take("page"):
            return HTMLResponse("<html><body>We will be back soon</body></html>")
        return None


async def _whole(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        piece = await receive()
        body, more = body + piece.get("body", b""), piece.get("more_body", False)
    return body


async def _swallow(message: Message) -> None:
    return
