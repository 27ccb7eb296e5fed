"""A web application that can end: whoever is in the midst of sending a request when the process stops is waited for no longer."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Ending:
    """The application. Once `stop` is set, a request whose rest has not come counts as one whose caller has hung up."""

    def __init__(self, app: ASGIApp, stop: asyncio.Event) -> None:
        self._app, self._stop = app, stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""

        async def until_stopped() -> Message:
            piece, stop = asyncio.ensure_future(receive()), asyncio.ensure_future(self._stop.wait())
            try:
                await asyncio.wait({piece, stop}, return_when=asyncio.FIRST_COMPLETED)
                return piece.result() if piece.done() else {"type": "http.disconnect"}
            finally:
                piece.cancel()
                stop.cancel()

        await self._app(scope, until_stopped, send)
