"""Connections to a port with TLS, on asyncio's loop and on uvloop's: each counts from accept on, until it or its handshake has ended."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from connectors.circulation.embedded.backend import Embedded
from connectors.circulation.sip2.server import Limits
from connectors.circulation.terminals import Terminal
from tests.connectors.circulation.running import LOOPS, PASSWORD, NewLoop, Raw, Running, running, terminals
from tests.connectors.circulation.sip2.certificates import certificate
from tests.connectors.circulation.sip2.test_server import _metric, _until

STATUS = "9900802.00"
LONG = Limits(handshake_s=600)
embedded = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture(params=LOOPS)
def new_loop(request: pytest.FixtureRequest) -> NewLoop:
    return LOOPS[request.param]


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(tmp_path, "localhost"))
    return context


@pytest.fixture
def trusting(tls: ssl.SSLContext, tmp_path: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(tmp_path / "localhost.pem"))


@contextmanager
def kiosk_at(server: Running, trusting: ssl.SSLContext) -> Iterator[Raw]:
    """A machine that has shaken hands."""
    with Raw(server.port) as kiosk:
        kiosk.socket = trusting.wrap_socket(kiosk.socket, server_hostname="localhost")
        yield kiosk


def _answered(server: Running, trusting: ssl.SSLContext) -> bool:
    """Whether a machine that comes now is let in and answered."""
    try:
        with kiosk_at(server, trusting) as kiosk:
            return kiosk.ask(STATUS).startswith("98Y")
    except OSError:
        return False


def _closed(one: Raw) -> bool:
    """Whether the other side closes: waited for."""
    try:
        return one.read() == b""
    except ConnectionResetError:
        return True


@embedded
def test_whoever_connects_and_says_nothing_has_a_place_and_who_finds_none_is_closed_at_once(
    library: Embedded, tls: ssl.SSLContext, trusting: ssl.SSLContext, new_loop: NewLoop
) -> None:
    with running(library, tls=tls, new_loop=new_loop, limits=Limits(connections=3, handshake_s=600)) as server:
        with Raw(server.port), Raw(server.port):
            with Raw(server.port) as third:
                _until(lambda: _metric(server, "sip2_connections") == 3)
                for count in (1, 2, 3):
                    with Raw(server.port) as one:
                        assert _closed(one)
                    _until(lambda: _metric(server, "sip2_connections_closed_total", why="too many connections") == count)  # noqa: B023
                assert not _answered(server, trusting)
                third.socket.close()
                _until(lambda: _metric(server, "sip2_connections") == 2)
            with kiosk_at(server, trusting) as kiosk:
                assert kiosk.ask(STATUS).startswith("98Y")
                assert _metric(server, "sip2_connections") == 3
                with Raw(server.port) as one:
                    assert _closed(one)
        _until(lambda: _metric(server, "sip2_connections") == 0)
        assert server.server.connections == set()


@embedded
def test_a_kiosk_gets_in_once_those_who_say_nothing_were_waited_for_long_enough(
    library: Embedded, tls: ssl.SSLContext, trusting: ssl.SSLContext, new_loop: NewLoop
) -> None:
    limits = Limits(connections=2, handshake_s=0.5)
    with running(library, tls=tls, new_loop=new_loop, limits=limits) as server, Raw(server.port) as one, Raw(server.port) as two:
        _until(lambda: _answered(server, trusting), 60)
        assert _closed(one) and _closed(two)
        _until(lambda: _metric(server, "sip2_connections") == 0)
        assert _metric(server, "sip2_connections_closed_total", why="no TLS handshake") >= 2
        assert server.server.connections == set()


@embedded
def test_who_has_shaken_hands_comes_from_where_it_comes_from_and_is_looked_for(
    library: Embedded, tls: ssl.SSLContext, trusting: ssl.SSLContext, new_loop: NewLoop
) -> None:
    known = terminals(
        far=Terminal(password=PASSWORD, addresses=["10.0.0.0/8"]), near=Terminal(password=PASSWORD, addresses=["127.0.0.1/32"])
    )
    with running(library, known=known, tls=tls, new_loop=new_loop, limits=LONG) as server, kiosk_at(server, trusting) as kiosk:
        assert kiosk.ask("9300CNfar|COsecret|") == "940"
        kiosk.log_in("near")
        [connection] = server.server.connections
        assert connection._transport is not None
        wire = connection._transport.get_extra_info("socket")
        assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def _hello(trusting: ssl.SSLContext) -> bytes:
    sent = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        trusting.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="localhost").do_handshake()
    return sent.read()


@embedded
@pytest.mark.parametrize("said", ["nothing", "half a hello", "a hello", "no TLS"])
@pytest.mark.parametrize("going", ["closes", "resets"])
def test_a_handshake_that_fails_or_is_left_gives_its_place_back(
    library: Embedded, tls: ssl.SSLContext, trusting: ssl.SSLContext, new_loop: NewLoop, said: str, going: str
) -> None:
    hello = _hello(trusting)
    data = {"nothing": b"", "half a hello": hello[: len(hello) // 2], "a hello": hello, "no TLS": b"9300CNkiosk1|COsecret|\r"}[said]
    with running(library, tls=tls, new_loop=new_loop, limits=LONG) as server:
        with Raw(server.port) as one:
            _until(lambda: _metric(server, "sip2_connections") == 1)
            if going == "resets":
                one.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            one.send(data)
            if said == "no TLS":
                assert _closed(one)
        _until(lambda: _metric(server, "sip2_connections") == 0)
        assert _answered(server, trusting)
        _until(lambda: _metric(server, "sip2_connections") == 0)
        assert server.server.connections == set()
        assert _metric(server, "sip2_connections_closed_total", why="no TLS handshake") == 0


@embedded
def test_a_stop_waits_for_no_handshake_and_leaves_none(library: Embedded, tls: ssl.SSLContext, new_loop: NewLoop) -> None:
    with running(library, tls=tls, new_loop=new_loop, limits=LONG) as server, Raw(server.port) as silent:
        _until(lambda: _metric(server, "sip2_connections") == 1)
        server.call(server.server.close())
        assert _closed(silent) and server.server.connections == set()
        with pytest.raises(ConnectionRefusedError):
            Raw(server.port)


@embedded
def test_a_port_that_is_taken_and_an_address_that_is_another_machine_s_are_not_listened_on(
    library: Embedded, tls: ssl.SSLContext, new_loop: NewLoop
) -> None:
    with running(library, tls=tls, new_loop=new_loop) as server:
        with pytest.raises(OSError, match="in use"):
            server.call(server.server.listen("127.0.0.1", server.port, tls))
        with pytest.raises(OSError, match="assign requested"):
            server.call(server.server.listen("192.0.2.1", 0, tls))


@embedded
def test_every_address_of_a_host_is_listened_on(
    library: Embedded, tls: ssl.SSLContext, trusting: ssl.SSLContext, new_loop: NewLoop
) -> None:
    with running(library, tls=tls, new_loop=new_loop) as server:
        server.port = server.call(server.server.listen("localhost", 0, tls))
        wire = socket.create_connection(("localhost", server.port), 60)
        with trusting.wrap_socket(wire, server_hostname="localhost") as kiosk:
            kiosk.sendall(STATUS.encode() + b"\r")
            assert kiosk.recv(3) == b"98Y"


_WITHOUT_FILES = """
import asyncio, logging, os, resource, socket, ssl, sys
import uvloop
from connectors.circulation.handshakes import Handshakes

class Told(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())

class Here(asyncio.Protocol):
    def connection_made(self, transport):
        transport.write(b"here")

async def main():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[2], sys.argv[3])
    trusting = ssl.create_default_context(cafile=sys.argv[2])
    port = Handshakes(tls, 600, lambda address: Here(), lambda one, late: None)
    number = await port.listen("127.0.0.1", 0)
    client = socket.socket()
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    taken = []
    try:
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    client.connect(("127.0.0.1", number))  # the system's queue takes it
    client.setblocking(False)
    while not said:
        await asyncio.sleep(0.01)
    for one in taken:
        os.close(one)
    reader, writer = await asyncio.open_connection(sock=client, ssl=trusting, server_hostname="localhost")
    print((await reader.readexactly(4)).decode(), said)
    writer.close()
    port.close()
    await port.wait_closed()

said = []
logging.getLogger("bindery.circulation").addHandler(Told())
with asyncio.Runner(loop_factory=uvloop.new_event_loop if sys.argv[1] == "uvloop" else None) as runner:
    runner.run(main())
"""


@pytest.mark.parametrize("loop", LOOPS)
def test_who_connects_while_no_more_files_may_be_open_is_let_in_afterwards(loop: str, tmp_path: Path) -> None:
    chain, key = certificate(tmp_path, "localhost")
    found = subprocess.run([sys.executable, "-c", _WITHOUT_FILES, loop, chain, key], capture_output=True, text=True, timeout=120)
    assert found.stdout == "here ['no connection can be accepted now: Too many open files']\n", found.stderr[-2000:]
    assert found.stderr == ""
