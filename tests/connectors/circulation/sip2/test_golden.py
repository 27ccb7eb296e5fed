"""The golden conversation in every framing, both ways: we answer a machine, and we ask a library system, plainly and over the bridge."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count, product
from typing import NamedTuple

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.circulation.embedded.backend import Embedded
from connectors.circulation.profile import Profile
from connectors.circulation.sip2.client import Client
from connectors.circulation.sip2.codec import Parsed, write
from connectors.circulation.sip2.framing import ENDS, sealed
from connectors.circulation.sip2.https import Envelope, opened
from connectors.circulation.sip2.https import sealed as enveloped
from connectors.circulation.sip2.server import Connection
from connectors.circulation.sip2.table import MESSAGES
from connectors.circulation.terminals import Terminal
from include.sandbox.servers.asgi import serving
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.running import PASSWORD, bridging, running, terminals
from tests.connectors.circulation.sip2.golden import EXCHANGES, PROFILE, Exchange, furnish


class Framing(NamedTuple):
    """How a line goes over the wire."""

    terminator: str
    encoding: str
    checked: bool

    def request(self, number: int, exchange: Exchange, login: str) -> bytes:
        """What the machine sends as its line of that number."""
        return self._sealed(exchange.asked.replace("{login}", login), str(number % 10))

    def answer(self, number: int, exchange: Exchange) -> bytes:
        """What it is answered. 97 is answered with what was said before, number and all; 96 has no number."""
        repeated = exchange.asked == "97"
        return self._sealed(exchange.answered, "" if exchange.answered == "96" else str((number - repeated) % 10))

    def _sealed(self, text: str, sequence: str) -> bytes:
        if text == "97":
            sequence = ""
        return sealed(text, encoding=self.encoding, sequence=sequence if self.checked else None, terminator=ENDS[self.terminator])


FRAMINGS = [Framing(*one) for one in product(("cr", "crlf"), ("latin-1", "utf-8", "cp850"), (False, True))]
framings = pytest.mark.parametrize(
    "framing", FRAMINGS, ids=[f"{end}-{encoding}-{'checked' if on else 'bare'}" for end, encoding, on in FRAMINGS]
)


@pytest.fixture
def database() -> str:
    return "sqlite"


def test_every_message_of_the_table_and_every_pair_is_in_the_golden_conversation() -> None:
    pairs = {(one.asked[:2], one.answered[:2]) for one in EXCHANGES}
    assert {(message.code, message.answer) for message in MESSAGES.values() if message.answer} <= pairs
    assert {code for pair in pairs for code in pair} - {"XX"} == MESSAGES.keys()


@framings
def test_we_answer_a_machine_word_for_word(library: Embedded, clock: Clock, framing: Framing, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(library)
    machine = Terminal(password=PASSWORD, branch="main", location="hall")
    known = terminals(bytewise=machine, chance=machine, merged=machine)
    profile = Profile.model_validate(PROFILE | {"framing": {"terminator": framing.terminator, "encoding": framing.encoding}})
    cut = [_bytewise]

    class Cut(Connection):
        def data_received(self, data: bytes) -> None:
            for piece in cut[0](data):
                super().data_received(piece)

    monkeypatch.setattr("connectors.circulation.sip2.server.Connection", Cut)
    with running(library, known=known, profile=profile, now=clock) as server:
        for login, segments in (("bytewise", _bytewise), ("chance", _by_chance)):
            cut[0] = segments
            with socket.create_connection(("127.0.0.1", server.port), 10) as line:
                for number, exchange in enumerate(EXCHANGES):
                    line.sendall(framing.request(number, exchange, login))
                    assert _received(line, framing.answer(number, exchange)) == framing.answer(number, exchange)
        cut[0] = lambda data: [data]
        with socket.create_connection(("127.0.0.1", server.port), 10) as line:
            line.sendall(b"".join(framing.request(number, exchange, "merged") for number, exchange in enumerate(EXCHANGES)))
            wanted = b"".join(framing.answer(number, exchange) for number, exchange in enumerate(EXCHANGES))
            assert _received(line, wanted) == wanted


@framings
def test_we_read_what_a_library_system_answers(framing: Framing) -> None:
    async def ask(port: int) -> list[Parsed]:
        client = await Client.connect("127.0.0.1", port, encoding=framing.encoding, checked=framing.checked, seconds=10)
        try:
            return [await client.line(exchange.asked) for exchange in EXCHANGES if exchange.asked != "97"]
        finally:
            await client.close()

    for cut in (_bytewise, _by_chance, lambda data: [data]):
        with _recorded(framing, cut) as port:
            found = asyncio.run(ask(port))
        for exchange, answer in zip((one for one in EXCHANGES if one.asked != "97"), found, strict=True):
            assert answer.repairs == ()
            assert write(answer.code, answer.fixed, {code: answer.every(code) for code in answer.fields}) == exchange.answered
            for name, value in exchange.says.items():
                assert (answer.fixed.get(name) or (answer.every(name) if isinstance(value, list) else answer.fields[name])) == value, name


@framings
def test_the_bridge_passes_both_on_word_for_word(framing: Framing, monkeypatch: pytest.MonkeyPatch) -> None:
    """All lines come in one segment, and are read from it a few bytes at a time."""
    chance, plain = random.Random(str(framing)), asyncio.StreamReader.read
    with _recorded_over_http() as url, bridging(url, encoding=framing.encoding, terminator=ENDS[framing.terminator]) as port:
        monkeypatch.setattr(asyncio.StreamReader, "read", lambda self, most: plain(self, chance.randint(1, 9)))
        with socket.create_connection(("127.0.0.1", port), 10) as line:
            line.sendall(b"".join(framing.request(number, exchange, "bytewise") for number, exchange in enumerate(EXCHANGES)))
            wanted = b"".join(framing.answer(number, exchange) for number, exchange in enumerate(EXCHANGES))
            assert _received(line, wanted) == wanted


def test_a_client_that_got_half_an_answer_asks_for_it_again_and_says_a_line_again_that_did_not_come() -> None:
    heard = list[bytes]()
    replies = [b"96AZFEF6\r", sealed("941", sequence="0").replace(b"941", b"940"), sealed("941", sequence="0"), *[b"941AY5AZ0000\r"] * 3]

    def system(line: socket.socket) -> None:
        reader = line.makefile("rb")
        for reply in replies:
            heard.append(_line(reader))
            line.sendall(reply)

    async def ask(port: int) -> None:
        client = await Client.connect("127.0.0.1", port, checked=True, seconds=10)
        assert (await client.line("9300CNa|COb|")).fixed == {"ok": "1"}
        with pytest.raises(ValueError, match="wrong checksum"):
            await client.line("9900802.00")
        await client.close()

    with _listening(system) as port:
        asyncio.run(ask(port))
    again, login = sealed("97", sequence=""), sealed("9300CNa|COb|", sequence="0")
    assert heard == [login, login, again, sealed("9900802.00", sequence="1"), again, again]


def _bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def _by_chance(data: bytes) -> list[bytes]:
    chance = random.Random(data)
    cuts = sorted(chance.sample(range(1, len(data)), min(4, len(data) - 1)))
    return [data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _send(line: socket.socket, pieces: list[bytes]) -> None:
    for piece in pieces:
        line.sendall(piece)


def _received(line: socket.socket, wanted: bytes) -> bytes:
    """As many bytes as are wanted, or those that came before the other side closed."""
    found = b""
    while len(found) < len(wanted):
        block = line.recv(len(wanted) - len(found))
        if not block:
            break
        found += block
    return found


def _line(reader: object) -> bytes:
    found = b""
    while not found.endswith(b"\r") and (byte := reader.read(1)):  # type: ignore[attr-defined]
        found += byte
    return found


@contextmanager
def _listening(system: Callable[[socket.socket], None]) -> Iterator[int]:
    """A library system for one machine."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def run() -> None:
            line, _ = listening.accept()
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with line:
                system(line)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(60)


def _recorded(framing: Framing, cut: Callable[[bytes], list[bytes]]) -> object:
    """A library system that answers what was recorded, and only to what was recorded. Our own lines end with CR alone."""

    def system(line: socket.socket) -> None:
        reader = line.makefile("rb")
        for number, exchange in zip(count(), (one for one in EXCHANGES if one.asked != "97")):
            tries = 3 if exchange.answered == "96" else 1
            for _ in range(tries):
                if _line(reader) != framing._replace(terminator="cr").request(number, exchange, "{login}"):
                    return
                _send(line, cut(framing.answer(number, exchange)))

    return _listening(system)


@contextmanager
def _recorded_over_http() -> Iterator[str]:
    known = {exchange.asked.replace("{login}", "bytewise"): exchange.answered for exchange in EXCHANGES}

    async def post(request: Request) -> Response:
        envelope = opened(await request.body())
        right = (envelope.login, envelope.password) == ("bytewise", "secret") and envelope.request in known
        return Response(enveloped(Envelope(response=known[envelope.request]) if right else Envelope(error="that was not recorded")))

    with serving(Starlette(routes=[Route("/sip2", post, methods=["POST"])])) as port:
        yield f"http://127.0.0.1:{port}/sip2"
