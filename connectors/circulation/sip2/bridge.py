"""From a plain SIP2 machine to a library system that takes SIP2 over HTTPS only: every line is passed on, and its answer passed back.

The machine's login (93) becomes the login of each request. Sequence numbers and checksums are the bridge's own matter with the machine, and so
is a line that comes again with the same number: the other side, which sees no numbers, would do it twice.
When the other side does not answer, the machine gets no answer either: it goes on alone, and tells afterwards.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from time import monotonic

import httpx

from connectors.circulation.sip2.codec import write
from connectors.circulation.sip2.framing import Lines, TooLong
from connectors.circulation.sip2.framing import opened as line_of
from connectors.circulation.sip2.framing import sealed as framed
from connectors.circulation.sip2.https import LARGEST, Envelope, Unfit, opened, sealed
from connectors.circulation.sip2.listening import STUCK, Listener
from connectors.circulation.sip2.server import Limits
from connectors.circulation.sip2.table import SUPPORTED_ORDER
from include.engine import clock

LIMITS = Limits(connections=1000)
"""Machines of one house, and not of all the others that the system behind it serves."""
NOBODY = ("", "")
log = logging.getLogger("bindery.circulation")


@dataclass
class _Talk:
    """What is known of one machine: who it is, and what it asked and was told last."""

    login: tuple[str, str] = NOBODY
    asked: bytes = b""
    told: bytes = b""
    made: float = field(default_factory=monotonic)

    def patience(self, limits: Limits) -> float:
        """How long its next word is waited for: a machine that has not logged in must do so soon."""
        return limits.idle_s if self.login != NOBODY else max(self.made + limits.login_s - monotonic(), 0.0)


class Bridge:
    """Listens for machines, and asks `url` for each of their lines."""

    def __init__(
        self,
        url: str,
        *,
        verify: bool | str = True,
        seconds: float = 15.0,
        encoding: str = "utf-8",
        terminator: bytes = b"\r",
        limits: Limits = LIMITS,
    ) -> None:
        self._url, self._seconds, self._encoding, self._terminator = url, seconds, encoding, terminator
        self._http = httpx.AsyncClient(verify=verify, timeout=seconds, limits=httpx.Limits(max_connections=100))
        self._limits, self._listener = limits, Listener(self._converse, limits)

    async def listen(self, host: str, port: int) -> int:
        """Listen (0: any free port); returns the port."""
        return await self._listener.listen(host, port)

    async def close(self) -> None:
        """Listen no more, and end the conversations under way."""
        await self._listener.close()
        await self._http.aclose()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        lines, talk = Lines(), _Talk()
        while True:
            try:
                data = await asyncio.wait_for(reader.read(65536), talk.patience(self._limits))
                found = lines.feed(data)
            except TimeoutError:
                return "no login" if talk.login == NOBODY else "idle"
            except TooLong:
                return "a line without end"
            if not data:
                return ""
            for raw in found:
                said = await self._answer(talk, raw)
                if said is None:
                    return "no answer from the other side"
                writer.write(said)
                try:
                    await asyncio.wait_for(writer.drain(), self._limits.stuck_s)
                except TimeoutError:
                    return STUCK

    async def _answer(self, talk: _Talk, raw: bytes) -> bytes | None:
        """What the machine is told; None when there is nothing to be told."""
        found, answer = line_of(raw), "96"
        if found.intact:
            text = found.body.decode(self._encoding, "replace")
            if text == "97":
                return talk.told or framed("96", terminator=self._terminator)
            if found.sequence is not None and raw == talk.asked:
                return talk.told  # the machine has not got it
            if text.startswith("93"):
                talk.login = _login(text)
            got = await self._asked(talk.login, text)
            if got is None:
                return None
            if text.startswith("93") and got == "940":
                talk.login = NOBODY
            answer = got
        sequence = found.sequence if answer != "96" or found.sequence is None else ""
        said = framed(answer, encoding=self._encoding, sequence=sequence, terminator=self._terminator)
        if answer != "96":
            talk.asked, talk.told = (b"" if answer.startswith("98") else raw), said  # a status is asked anew each time (session.py)
        return said

    async def _asked(self, login: tuple[str, str], text: str) -> str | None:
        """The other side's answer; None when there is none to be had."""
        try:
            async with asyncio.timeout(self._seconds):  # of all of it: httpx counts each piece by itself
                envelope = opened(await self._posted(sealed(Envelope(*login, request=text))))
            if envelope.response is not None:
                return _one_line(envelope.response)
        except (httpx.HTTPError, Unfit, TimeoutError) as error:
            log.error("%s did not answer: %s", self._url, error if isinstance(error, Unfit) else type(error).__name__)
            return None
        if text.startswith("99") and login == NOBODY:
            return _status()
        log.warning("%s refused a message %s: %s", self._url, text[:2], envelope.error)
        return "940" if text.startswith("93") else None

    async def _posted(self, body: bytes) -> bytes:
        answer = bytearray()
        async with self._http.stream("POST", self._url, content=body, headers={"Content-Type": "text/xml; charset=utf-8"}) as response:
            async for piece in response.aiter_bytes():
                answer += piece
                if len(answer) > LARGEST:
                    raise Unfit("it is too long")
        return bytes(answer)


def _one_line(response: str) -> str:
    """The line in a response, which may stand between line ends, or end as on a wire. Unfit for none, and for several: which is the answer?"""
    text = line_of(response.strip().encode()).body.decode()
    if not text or "\r" in text or "\n" in text:
        raise Unfit("it holds not one line")
    return text


def _status() -> str:
    """98 for a machine that asks before it logs in. The other side tells nobody, so this says no more than that it may go on; it asks again then."""
    fixed = dict.fromkeys(("online", "checkin ok", "checkout ok", "renewal policy", "status update ok", "offline ok"), "Y")
    now = {"timeout period": "030", "retries allowed": "003", "date and time": f"{clock.now():%Y%m%d   Z%H%M%S}"}
    return write("98", fixed | now, {"AO": "", "BX": "Y" * len(SUPPORTED_ORDER)})


def _login(text: str) -> tuple[str, str]:
    fields = {part[:2]: part[2:] for part in text[4:].split("|")}
    return fields.get("CN", ""), fields.get("CO", "")
