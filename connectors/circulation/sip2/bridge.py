"""From a plain SIP2 machine to a library system that takes SIP2 over HTTPS only: every line is passed on, and its answer passed back.

The machine's login (93) becomes the login of each request. Sequence numbers and checksums are the bridge's own matter with the machine.
When the other side does not answer, the machine gets no answer either: it goes on alone, and tells afterwards.
"""

from __future__ import annotations

import asyncio
import logging

import httpx

from connectors.circulation.sip2.framing import Lines, TooLong
from connectors.circulation.sip2.framing import opened as line_of
from connectors.circulation.sip2.framing import sealed as framed
from connectors.circulation.sip2.https import Envelope, Unfit, opened, sealed

IDLE_SECONDS, STUCK_SECONDS = 1800.0, 30.0
"""After so long without a word, and without reading its answers, a machine has gone."""
log = logging.getLogger("bindery.circulation")


class Bridge:
    """Listens for machines, and asks `url` for each of their lines."""

    def __init__(
        self, url: str, *, verify: bool | str = True, seconds: float = 15.0, encoding: str = "utf-8", terminator: bytes = b"\r"
    ) -> None:
        self._url, self._encoding, self._terminator = url, encoding, terminator
        self._http = httpx.AsyncClient(verify=verify, timeout=seconds, limits=httpx.Limits(max_connections=100))
        self._server: asyncio.Server | None = None
        self._conversations: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int) -> int:
        """Listen (0: any free port); returns the port."""
        self._server = await asyncio.start_server(self._begun, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Listen no more, and end the conversations under way."""
        if self._server is not None:
            self._server.close()
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)
        await self._http.aclose()

    def _begun(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._conversations.add(conversation)
        conversation.add_done_callback(self._conversations.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines, login = Lines(), ("", "")
        last = b""
        try:
            while data := await asyncio.wait_for(reader.read(65536), IDLE_SECONDS):
                for raw in lines.feed(data):
                    found = line_of(raw)
                    if not found.intact:
                        answer: str | None = "96"
                    else:
                        text = found.body.decode(self._encoding, "replace")
                        if text == "97":
                            writer.write(last or framed("96", terminator=self._terminator))
                            continue
                        if text.startswith("93"):
                            login = _login(text)
                        answer = await self._asked(login, text)
                    if answer is None:
                        return
                    sequence = found.sequence if answer != "96" or found.sequence is None else ""
                    said = framed(answer, encoding=self._encoding, sequence=sequence, terminator=self._terminator)
                    last = said if answer != "96" else last
                    writer.write(said)
                    await asyncio.wait_for(writer.drain(), STUCK_SECONDS)
        except (TooLong, ConnectionError, TimeoutError):
            return
        finally:
            writer.close()

    async def _asked(self, login: tuple[str, str], text: str) -> str | None:
        """The other side's answer; None when there is none to be had."""
        body = sealed(Envelope(*login, request=text))
        try:
            answer = await self._http.post(self._url, content=body, headers={"Content-Type": "text/xml; charset=utf-8"})
            envelope = opened(answer.content)
        except (httpx.HTTPError, Unfit) as error:
            log.error("%s did not answer: %s", self._url, type(error).__name__)
            return None
        if envelope.response is None:
            log.warning("%s refused a message %s: %s", self._url, text[:2], envelope.error)
            return "940" if text.startswith("93") else None
        return envelope.response


def _login(text: str) -> tuple[str, str]:
    fields = {part[:2]: part[2:] for part in text[4:].split("|")}
    return fields.get("CN", ""), fields.get("CO", "")
