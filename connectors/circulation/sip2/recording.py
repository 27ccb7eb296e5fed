"""A kiosk's traffic with the library system it has today, recorded in passing: what a profile is made from, and what `shadow` asks again.

The recorder stands between the two and changes nothing. A recording is a text file, one JSON object a line: first
`{"recording": 1, "started": ...}`, then `{"at": seconds, "connection": n, "from": "machine" | "system", "line": ..., "end": ..., "checked": ...,
"utf8": ...}`.
Passwords and PINs are never written; cards, names and addresses are, so the file is a person's data and is made readable by its owner alone.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Literal, NamedTuple, TextIO

from connectors.circulation.sip2.framing import LONGEST, opened
from connectors.circulation.sip2.listening import STUCK, Listener, ended
from connectors.circulation.sip2.masking import unsaid
from connectors.circulation.sip2.server import Limits, watched
from include.engine import clock
from include.engine.errors import Refused

log = logging.getLogger("bindery.circulation")
VERSION = 1
_LINE = re.compile(rb"([^\r\n]*)(\r\n|\r|\n)")
_ENDS = {b"\r": "cr", b"\r\n": "crlf", b"\n": "lf"}
From = Literal["machine", "system"]
LIMITS = Limits(connections=1000, idle_s=24 * 3600.0)
"""Whoever is silent for half an hour is the library system's to send away, not ours; a day is longer than any night."""


class Said(NamedTuple):
    """One line of a recording. `checked`: it had a checksum; `utf8`: its bytes were UTF-8 (else they were read as Latin-1)."""

    at: float
    connection: int
    by: From
    line: str
    end: str
    checked: bool
    utf8: bool


@dataclass
class _Talk:
    """One connection, by its number, and when either side was heard last."""

    number: int
    heard: float = field(default_factory=monotonic)


class Recorder:
    """Listens for machines, and passes each connection on to the library system at `host` and `port`."""

    def __init__(self, host: str, port: int, to: Path, *, limits: Limits = LIMITS) -> None:
        self._host, self._port = host, port
        self._file: TextIO = os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
        self._begun, self._connections, self.lines = monotonic(), 0, 0
        self._ended = False
        self._limits, self._listener = limits, Listener(self._pass_on, limits)
        self._write({"recording": VERSION, "started": clock.now().isoformat(timespec="seconds")})

    async def listen(self, host: str, port: int) -> int:
        """Listen (0: any free port); returns the port."""
        return await self._listener.listen(host, port)

    async def close(self) -> None:
        """Listen no more, end the conversations under way, and close the file."""
        await self._listener.close()
        self._ended = True
        with suppress(OSError):  # what it could not write before it cannot now
            self._file.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        self._connections += 1
        talk = _Talk(self._connections)
        try:
            there, back = await asyncio.open_connection(self._host, self._port)
        except OSError:
            return ""  # the machine sees what it would have seen: nobody answers
        watched(back.transport)
        ways = [asyncio.create_task(self._one_way(*way, talk)) for way in ((reader, back, "machine"), (there, writer, "system"))]
        why = ""
        try:
            while not any(way.done() for way in ways) and (left := talk.heard + self._limits.idle_s - monotonic()) > 0:
                await asyncio.wait(ways, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            why = next((way.result() for way in ways if way.done()), "idle")
        finally:
            for way in ways:
                way.cancel()
            ended(back, why)
        return why

    async def _one_way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, by: From, talk: _Talk) -> str:
        """Pass on what one of them says, until it says no more; returns why we end it, or ''."""
        rest = b""
        with suppress(OSError):  # it has gone, or the way to it
            while data := await reader.read(65536):
                talk.heard = monotonic()
                writer.write(data)
                try:
                    await asyncio.wait_for(writer.drain(), self._limits.stuck_s)
                except TimeoutError:
                    return STUCK
                rest = self._note(rest + data, by, talk.number)[-LONGEST:]
        return ""

    def _note(self, data: bytes, by: From, number: int) -> bytes:
        """Write the whole lines of `data`; returns what is left. A CR at its end may be half of a CRLF, and counts as a line all the same."""
        end = 0
        for found in _LINE.finditer(data):
            end = found.end()
            if found[1].strip(b" \x00"):
                self._keep(found[1], _ENDS[found[2]], by, number)
        return data[end:]

    def _keep(self, raw: bytes, end: str, by: From, number: int) -> None:
        framed = opened(raw)
        try:
            text = framed.body.decode("utf-8")
        except UnicodeDecodeError:
            text = framed.body.decode("latin-1")
        self.lines += 1
        said = {"at": round(monotonic() - self._begun, 3), "connection": number, "from": by, "line": unsaid(text), "end": end}
        self._write(said | {"checked": raw != framed.body, "utf8": text.encode() == framed.body})

    def _write(self, what: dict[str, Any]) -> None:
        if self._ended:
            return
        try:
            self._file.write(json.dumps(what, ensure_ascii=False) + "\n")
            self._file.flush()
        except OSError as error:  # a full disk: the machines must not notice
            self._ended = True
            log.error("the recording ends here (%s); what the machines say is passed on", error.strerror)


def read(path: Path) -> Iterator[Said]:
    """The lines of a recording, in order. Refused for a file that is none."""
    with path.open(encoding="utf-8") as file:
        for number, text in enumerate(file):
            try:
                entry = json.loads(text)
                if number == 0:
                    if entry.get("recording") != VERSION:
                        raise ValueError
                    continue
                yield Said(entry["at"], entry["connection"], entry["from"], entry["line"], entry["end"], entry["checked"], entry["utf8"])
            except (ValueError, KeyError, AttributeError) as error:
                if number and not text.endswith("\n"):
                    return  # the recorder was killed while it wrote
                raise Refused(
                    f"line {number + 1} is none of a recording", where=str(path), do="Record the traffic with `record`."
                ) from error
