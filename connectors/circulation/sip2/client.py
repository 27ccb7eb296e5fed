"""The machine's side of SIP2: what the simulated kiosk, the bridge and the tests speak with."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Self

from connectors.circulation.sip2.codec import Parsed, Value, parse, write
from connectors.circulation.sip2.framing import Framed, opened, sealed

TRIES = 3
"""How often a line is sent, or its answer asked for, before the connection is no good."""


class Client:
    """One connection. With `checked`, every line has a sequence number and a checksum, and every answer must have them too."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, encoding: str, checked: bool, seconds: float) -> None:
        self._reader, self._writer = reader, writer
        self._encoding, self._checked, self._seconds = encoding, checked, seconds
        self._sequence = -1

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        encoding: str = "utf-8",
        checked: bool = False,
        seconds: float = 30.0,
    ) -> Self:
        """Connect; OSError or TimeoutError when nobody answers."""
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port, ssl=tls), seconds)
        return cls(reader, writer, encoding=encoding, checked=checked, seconds=seconds)

    async def ask(self, code: str, fixed: Mapping[str, str] | None = None, fields: Mapping[str, Value] | None = None) -> Parsed:
        """Send one message and wait for its answer. ConnectionError when the other side closes, ValueError when its checksum is wrong."""
        return await self.line(write(code, fixed or {}, fields or {}))

    async def line(self, text: str) -> Parsed:
        """The same with a line as it is. Whoever did not get one of us whole is asked, or told, again, up to TRIES times."""
        self._sequence = (self._sequence + 1) % 10
        sequence = str(self._sequence) if self._checked else None
        sent = sealed(text, encoding=self._encoding, sequence=sequence)
        for _ in range(TRIES):
            framed = await self._answer(sent)
            if not framed.intact or (self._checked and framed.sequence != sequence and framed.body != b"96"):
                sent = sealed("97", sequence="" if self._checked else None)  # which has no number of its own
            elif framed.body != b"96":
                return parse(framed.body.decode(self._encoding, "replace"))
            else:
                sent = sealed(text, encoding=self._encoding, sequence=sequence)
        if framed.intact and framed.body == b"96":
            return parse("96")
        raise ValueError(f"the answer to {text[:2]} came with a wrong checksum or sequence number")

    async def _answer(self, sent: bytes) -> Framed:
        self._writer.write(sent)
        await self._writer.drain()
        raw = b""
        while not raw:
            raw = await asyncio.wait_for(self._until_end(), self._seconds)
        return opened(raw)

    async def _until_end(self) -> bytes:
        try:
            return (await self._reader.readuntil(b"\r")).strip(b"\r\n")
        except asyncio.IncompleteReadError:
            raise ConnectionError("the other side closed the connection") from None
        except asyncio.LimitOverrunError:
            raise ValueError("a line that does not end") from None

    def cut(self) -> None:
        """Close the connection at once, whatever the other side does."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return
