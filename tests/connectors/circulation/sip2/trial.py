"""What must be so of SIP2 whatever bytes come: `lines` of framing and codec, `Talk` of two machines and a server. See fuzz.py."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import selectors
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from connectors.circulation.embedded.backend import Embedded, opened
from connectors.circulation.embedded.rules import Limits, Rules
from connectors.circulation.metrics import Metrics
from connectors.circulation.profile import Profile
from connectors.circulation.sip2 import session
from connectors.circulation.sip2.codec import Unreadable, parse, write
from connectors.circulation.sip2.framing import LONGEST, Lines, TooLong, sealed
from connectors.circulation.sip2.framing import opened as unsealed
from connectors.circulation.sip2.server import Connection, Server
from connectors.circulation.sip2.session import House
from connectors.circulation.sip2.table import FIELDS, MESSAGES
from connectors.circulation.terminals import Terminal, Terminals
from include.engine.crypto.keys import MemoryKeyStore

_SALT = b"0123456789abcdef"
_PASSWORD = "$".join(  # of "secret", and quick to check
    (
        "scrypt",
        "2",
        "1",
        "1",
        *(base64.b64encode(part).decode() for part in (_SALT, hashlib.scrypt(b"secret", salt=_SALT, n=2, r=1, p=1, dklen=32))),
    )
)


def lines(data: bytes, seen: set[bytes] | None = None) -> None:
    """What must be so of any bytes. Cut anywhere, they are the same lines; a line that is read can be written, and is then read the same.

    Lines in `seen` were right before, and are not tried again.
    """
    seen = set() if seen is None else seen
    found = _cut(data, (len(data),))
    assert found == _cut(data, (*(size for byte in data[-12:] for size in (1 + byte % 5, len(data) // 16)), len(data)))
    for raw in found or ():
        if raw in seen:
            continue
        seen.add(raw)
        framed = unsealed(raw)
        try:
            asked = parse(framed.body.decode("latin-1"))
        except Unreadable:
            continue
        assert sum(one.width for one in MESSAGES[asked.code].fixed) == sum(map(len, asked.fixed.values()))
        text = write(asked.code, asked.fixed, {code: asked.every(code) for code in asked.fields if len(code) == 2})
        again, first = parse(text), text[2 + asked.message.width :][:2]
        assert again.code == asked.code
        # Where a field begins that nobody knows, the fixed fields before it may be taken for short ones: "A", then "A4", is "AA" to the codec.
        assert again.fixed == asked.fixed or first not in FIELDS
        assert unsealed(sealed(framed.body.decode("latin-1"), encoding="latin-1", sequence="3", terminator=b"")).intact


def _cut(data: bytes, sizes: Iterable[int]) -> list[bytes] | None:
    """The lines of `data` when it comes in pieces of these sizes; None when a line was longer than any may be."""
    reader, found, at = Lines(), [], 0
    try:
        for size in sizes:
            found += reader.feed(data[at : at + size])
            at += size
            assert len(reader._rest) <= LONGEST, "what has no end is kept"
    except TooLong:
        assert len(data) > LONGEST
        return None
    return found


class _Wire:
    """A connection's other end: keeps what is written, one answer each."""

    def __init__(self) -> None:
        self.said: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        if data:
            self.said.append(data)

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else None

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def set_write_buffer_limits(self, high: int) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class _Hurried(asyncio.SelectorEventLoop):
    """A loop in which whoever sleeps has slept at once."""

    def __init__(self) -> None:
        super().__init__(selectors.SelectSelector())
        self._ahead = 0.0

    def time(self) -> float:
        return super().time() + self._ahead

    def _run_once(self) -> None:
        scheduled = cast(Any, self)._scheduled
        if scheduled and not cast(Any, self)._ready:
            self._ahead += max(0.0, scheduled[0]._when - self.time())
        super()._run_once()  # type: ignore[misc]


INSTITUTIONS = {"kiosk1": b"first", "kiosk2": b"second"}


class Talk:
    """A server, and two machines that say anything to it, in turns. No answer of one may ever go to the other."""

    def __init__(self, library: Embedded) -> None:
        session.NOBODY = _PASSWORD  # an unknown login costs as much as a known one: here, next to nothing
        self._loop = _Hurried()
        asyncio.set_event_loop(self._loop)
        known = Terminals(
            institution="everyone", name="", timezone="Europe/Copenhagen",
            terminals={login: Terminal(password=_PASSWORD, institution=name.decode(), connections=2) for login, name in INSTITUTIONS.items()},
        )  # fmt: skip
        self._house = House(library, known, {login: Profile() for login in known.terminals}, Metrics())

    def hold(self, data: bytes) -> None:
        """The bytes, in pieces that go to one machine and the other; each logs in first."""
        self._loop.run_until_complete(self._hold(data))

    async def _hold(self, data: bytes) -> None:
        server = Server(self._house)
        machines: list[tuple[str, _Wire, Connection, set[str]]] = []
        for login in INSTITUTIONS:
            wire, connection = _Wire(), Connection(server, self._house)
            connection.connection_made(cast(asyncio.BaseTransport, wire))
            connection.data_received(f"9300CN{login}|COsecret|\r".encode())
            await _quiet(connection)
            assert wire.said == [b"941\r"], wire.said
            machines.append((login, wire, connection, {"93"}))
        for number, piece in enumerate(data.split(b"\xff")):
            login, wire, connection, asked = machines[number % 2]
            if wire.closed:
                continue
            lines, before = _codes(piece), len(wire.said)
            asked |= set(lines)
            connection.data_received(piece + b"\r")
            await _quiet(connection)
            said = wire.said[before:]
            assert len(said) <= len(lines), "more answers than questions"
            own = {"96"} | {MESSAGES[code].answer for code in asked if code in MESSAGES}
            assert {one[:2].decode() for one in said} <= own, "an answer to what this machine never asked"
            if lines.count("93") == 0 and connection._session is not None and connection._session.login == login:
                other = next(name for known, name in INSTITUTIONS.items() if known != login)
                assert not any(b"AO" + other + b"|" in one for one in said), "an answer of the other machine"
        for _, wire, connection, _ in machines:
            wire.close()
            connection.connection_lost(None)
            await connection._task
        assert not any(self._house.present.values()), "a terminal is still counted as here"


def _codes(piece: bytes) -> list[str]:
    """What the lines of a piece ask, as far as that can be seen without the codec."""
    return [line.strip(b" \x00")[:2].decode("latin-1") for line in re.split(rb"[\r\n]", piece) if line.strip(b" \x00")]


async def _quiet(connection: Connection) -> None:
    while connection.busy:
        await asyncio.sleep(0)


@contextmanager
def library() -> Iterator[Embedded]:
    """A store with two patrons and some items; its journal is not synced, for no power fails here."""
    with tempfile.TemporaryDirectory() as place:
        found = opened(Path(place), MemoryKeyStore(), Rules(defaults=Limits(loan_days=28)))
        found._journal._sync = lambda _: None
        found.store.fill("patron", [{"patron": f"p{n}", "name": f"Reader {n}", "category": "adult"} for n in (1, 2)])
        found.store.fill("card", [{"card": f"450000123{n}", "patron": f"p{n}"} for n in (1, 2)])
        found.store.fill(
            "item",
            [
                {"item": f"3000{n}", "title_id": "t", "title": "A title", "material": "book", "owner": "m", "location": "m"}
                for n in range(5)
            ],
        )
        found.store.commit()
        yield found
        found.close()
