"""A web application that can end: whoever is in the midst of sending a request when the process stops is waited for a moment, and no longer."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

GRACE = 2.0
"""Seconds: a caller that is there has sent the rest by then."""


class Ending:
    """The application. Once `stop` is set, a request whose rest does not come within GRACE counts as one whose caller has hung up."""

    def __init__(self, app: ASGIApp, stop: asyncio.Event) -> None:
        self._app, self._stop = app, stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""

        async def until_stopped() -> Message:
            piece, stop = asyncio.ensure_future(receive()), asyncio.ensure_future(self._stop.wait())
            try:
                await asyncio.wait({piece, stop}, return_when=asyncio.FIRST_COMPLETED)
                if not piece.done():
                    await asyncio.wait({piece}, timeout=GRACE)
                return piece.result() if piece.done() else {"type": "http.disconnect"}
            finally:
                piece.cancel()
                stop.cancel()

        await self._app(scope, until_stopped, send)
