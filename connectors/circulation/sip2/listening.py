"""A port for what passes on (bridge, recorder): it has room for so many connections, notices machines that have gone, and ends all that it has."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from connectors.circulation.sip2.server import Limits, watched

Converse = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[str]]
"""A conversation with one machine, to its end; returns why we ended it, or ''."""
STUCK = "it does not read"
log = logging.getLogger("bindery.circulation")


class Listener:
    """Listens until it is closed. The connections that `limits` have no room for are closed at once."""

    def __init__(self, converse: Converse, limits: Limits) -> None:
        self._converse, self._limits = converse, limits
        self._server: asyncio.Server | None = None
        self._conversations: set[asyncio.Task[None]] = set()
        self._full = False

    async def listen(self, host: str, port: int) -> int:
        """Listen (0: any free port); returns the port."""
        self._server = await asyncio.start_server(self._begun, host, port, backlog=1024)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Listen no more, and end the conversations under way."""
        if self._server is not None:
            self._server.close()
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    def _begun(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        full = len(self._conversations) >= self._limits.connections
        if full and not self._full:  # once, not for each of a flood
            log.warning("there is no room for more than %d connections", self._limits.connections)
        self._full = full
        if full:
            writer.transport.abort()
            return
        watched(writer.transport)
        conversation = asyncio.get_running_loop().create_task(self._until_over(reader, writer))
        self._conversations.add(conversation)
        conversation.add_done_callback(self._conversations.discard)

    async def _until_over(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        why = ""
        try:
            why = await self._converse(reader, writer)
        except OSError:  # the machine has gone, or the way to it
            return
        except Exception:
            why = "an error of ours"
            log.exception("a conversation could not be gone on with")
        finally:
            if why:
                log.info("a connection was closed: %s", why)
            ended(writer, why)


def ended(writer: asyncio.StreamWriter, why: str) -> None:
    """Close; nothing is waited for of a side that does not read."""
    if why == STUCK:
        writer.transport.abort()
    else:
        writer.close()
