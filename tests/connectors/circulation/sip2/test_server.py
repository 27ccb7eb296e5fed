"""What machines and networks do to a server: split lines, bad checksums, silence, floods, guessing; and nobody else notices."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest

from connectors.circulation.embedded.backend import Embedded
from connectors.circulation.lockout import EVERYWHERE, FORGET_SECONDS, HERE, Lockout
from connectors.circulation.pins import hashed
from connectors.circulation.profile import Profile
from connectors.circulation.sip2.codec import parse
from connectors.circulation.sip2.framing import opened, sealed
from connectors.circulation.sip2.server import Limits
from connectors.circulation.terminals import Terminal
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.running import PASSWORD, Raw, Running, running, terminals

NOW = "20261120    130000"
LOGIN = b"9300CNkiosk1|COsecret|\r"
embedded = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
STATUS = f"23001{NOW}AOlindeby|AAc1|AC|AD1234|"


def _metric(server: Running, name: str, **labels: str) -> float:
    return server.house.metrics.registry.get_sample_value(name, labels) or 0.0


def _until(true: Any, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_a_login_split_over_segments_is_a_login(library: Embedded, size: int) -> None:
    with running(library) as server, Raw(server.port) as kiosk:
        kiosk.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(LOGIN), size):
            kiosk.send(LOGIN[at : at + size])
            time.sleep(0.002)
        assert kiosk.read() == b"941"


def test_several_lines_in_one_segment_are_answered_in_order(library: Embedded, clock: Clock) -> None:
    with running(library, now=clock) as server, Raw(server.port) as kiosk:
        kiosk.send(LOGIN + b"".join(f"23001{NOW}AOx|AAc{n}|AC|\r".encode() for n in (1, 2, 3, 1)) + b"9900802.00\r")
        assert [kiosk.read()[:2] for _ in range(6)] == [b"94", b"24", b"24", b"24", b"24", b"98"]


@pytest.mark.parametrize(
    ("framing", "end"),
    [({}, b"\r"), ({"terminator": "crlf"}, b"\r\n"), ({"terminator": "lf", "encoding": "latin-1"}, b"\n"), ({"encoding": "cp850"}, b"\r")],
)
def test_each_framing_is_spoken(library: Embedded, clock: Clock, framing: dict[str, str], end: bytes) -> None:
    library.store.apply([["patron", library.store.get("patron", "p1") | {"name": "Æøå Läsare"}]])
    encoding = framing.get("encoding", "utf-8")
    with running(library, now=clock, profile=Profile.model_validate({"framing": framing})) as server, Raw(server.port) as kiosk:
        kiosk.send(LOGIN.replace(b"\r", end))
        kiosk.read(end)  # the login is answered as the terminal's own profile says, too
        for sequence in (None, "4"):
            kiosk.send(sealed(STATUS, encoding=encoding, sequence=sequence, terminator=end))
            framed = opened(kiosk.read(end))
            assert (framed.sequence, framed.intact) == (sequence, True)
            assert parse(framed.body.decode(encoding)).fields["AE"] == "Æøå Läsare"


@pytest.mark.parametrize("mode", ["always", "never"])
def test_error_detection_can_be_settled_by_the_profile(library: Embedded, mode: str) -> None:
    with running(library, profile=Profile.model_validate({"framing": {"error_detection": mode}})) as server, Raw(server.port) as kiosk:
        kiosk.send(LOGIN)
        kiosk.read()
        kiosk.send(sealed("9900802.00", sequence="3" if mode == "never" else None))
        assert (opened(kiosk.read()).sequence is not None) == (mode == "always")


def test_a_wrong_checksum_asks_for_the_line_again_and_nothing_is_done(library: Embedded, clock: Clock) -> None:
    with running(library, now=clock) as server, Raw(server.port) as kiosk:
        kiosk.log_in()
        line = sealed(f"11NN{NOW}{NOW}AOx|AAc1|ABb1|AC|", sequence="5")
        kiosk.send(line.replace(b"b1", b"b2"))
        assert opened(kiosk.read()).body == b"96"
        assert list(library.store.rows("loan")) == []
        kiosk.send(line)
        assert opened(kiosk.read()).body.startswith(b"121")


def test_a_line_sent_again_gets_the_very_same_bytes(library: Embedded, clock: Clock) -> None:
    with running(library, now=clock) as server, Raw(server.port) as kiosk:
        kiosk.log_in()
        line = sealed(f"11NN{NOW}{NOW}AOx|AAc1|ABb1|AC|", sequence="5")
        kiosk.send(line)
        first = kiosk.read()
        clock.on(minutes=1)
        kiosk.send(line)
        assert kiosk.read() == first
        assert kiosk.ask("97").encode() == first


def test_over_a_reconnect_the_same_request_is_done_once(library: Embedded, clock: Clock) -> None:
    line = f"11NN{NOW}{NOW}AOx|AAc1|ABb1|AC|AD1234|"
    with running(library, now=clock) as server:
        answers = []
        for _ in range(2):
            with Raw(server.port) as kiosk:
                kiosk.log_in()
                answers.append(kiosk.ask(line))
    assert answers[0] == answers[1] and answers[0].startswith("121")


def test_a_resend_on_a_new_connection_gives_away_nobody_s_answer(library: Embedded, clock: Clock) -> None:
    with running(library, now=clock) as server:
        with Raw(server.port) as kiosk:
            kiosk.log_in()
            assert "Reader One" in kiosk.ask(STATUS)
        with Raw(server.port) as stranger:
            assert stranger.ask("97") == "96"
            stranger.log_in("kiosk2")
            assert stranger.ask("97") == "941"


def test_status_is_answered_before_a_login_and_nothing_else_is(library: Embedded) -> None:
    with running(library) as server:
        with Raw(server.port) as kiosk:
            assert kiosk.ask("9900802.00").startswith("98YYY")
            kiosk.send(STATUS.encode() + b"\r")
            assert kiosk.read() == b""
        assert _metric(server, "sip2_connections_closed_total", why="a message 23 before any login") == 1


@pytest.mark.parametrize("line", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\r", b"x" * 20_000])
def test_what_is_no_sip2_is_closed(library: Embedded, line: bytes) -> None:
    with running(library) as server, Raw(server.port) as kiosk:
        kiosk.send(line)
        assert kiosk.read() == b""


def test_wrong_logins_are_refused_ever_more_slowly_and_then_closed(library: Embedded) -> None:
    with running(library) as server, Raw(server.port) as kiosk:
        for line in ("9300CNkiosk1|COwrong|", "9300CNnobody|COsecret|"):
            assert kiosk.ask(line) == "940"
        assert kiosk.ask("9300CN|CO|") == "940"
        assert kiosk.read() == b""


def test_a_terminal_comes_from_its_own_addresses_alone(library: Embedded) -> None:
    known = terminals(
        far=Terminal(password=PASSWORD, addresses=["10.0.0.0/8"]), near=Terminal(password=PASSWORD, addresses=["127.0.0.1/32"])
    )
    with running(library, known=known) as server, Raw(server.port) as kiosk:
        assert kiosk.ask("9300CNfar|COsecret|") == "940"
        assert kiosk.ask("9300CNnear|COsecret|") == "941"


def test_a_terminal_has_no_more_connections_than_it_may(library: Embedded) -> None:
    known = terminals(one=Terminal(password=PASSWORD, connections=1))
    with running(library, known=known) as server, Raw(server.port) as second:
        with Raw(server.port) as first:
            first.log_in("one")
            assert second.ask("9300CNone|COsecret|") == "940"
        _until(lambda: server.house.present["one"] == 0)
        second.log_in("one")


def test_who_does_not_log_in_is_not_waited_for(library: Embedded) -> None:
    with running(library, limits=Limits(login_s=0.2)) as server, Raw(server.port) as mute:
        assert mute.read() == b""
        assert _metric(server, "sip2_connections_closed_total", why="no login") == 1
        _until(lambda: _metric(server, "sip2_connections") == 0)


def test_silence_ends_a_connection(library: Embedded) -> None:
    with running(library, limits=Limits(stuck_s=0.4)) as server, Raw(server.port) as kiosk:  # which are looked at ten times a second
        kiosk.log_in()
        server.server.limits = Limits(idle_s=0.04)
        assert kiosk.read() == b""
        assert _metric(server, "sip2_connections_closed_total", why="idle") == 1
        _until(lambda: _metric(server, "sip2_connections") == 0)


def test_a_machine_that_does_not_read_is_closed_and_costs_the_others_nothing(library: Embedded, clock: Clock) -> None:
    with running(library, now=clock, limits=Limits(stuck_s=0.5)) as server, Raw(server.port) as deaf, Raw(server.port) as kiosk:
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.log_in()
        kiosk.log_in("kiosk2")
        deaf.socket.settimeout(0.3)
        try:
            for _ in range(2000):
                deaf.send(f"63001{NOW}  Y       AOx|AAc1|AC|\r".encode() * 100)
        except OSError:
            pass  # it is read from no further, or closed already
        assert "Reader One" in kiosk.ask(STATUS)
        _until(lambda: _metric(server, "sip2_connections_closed_total", why="it does not read") == 1)
        assert "Reader One" in kiosk.ask(STATUS)


def test_more_connections_than_there_may_be_are_turned_away(library: Embedded) -> None:
    with (
        running(library, limits=Limits(connections=2)) as server,
        Raw(server.port) as one,
        Raw(server.port) as two,
        Raw(server.port) as three,
    ):
        assert one.ask("9900802.00")[:2] == two.ask("9900802.00")[:2] == "98"
        with pytest.raises(OSError):
            three.send(b"9900802.00\r")
            if three.read() == b"":
                raise ConnectionResetError


def test_guessing_a_pin_locks_the_terminal_out_and_not_the_patron(library: Embedded, clock: Clock) -> None:
    with running(library, now=clock) as server, Raw(server.port) as guesser, Raw(server.port) as kiosk:
        guesser.log_in()
        kiosk.log_in("kiosk2")
        for pin in range(6):
            assert parse(guesser.ask(f"23001{NOW}AOx|AAc1|AC|AD{pin}|")).fields["CQ"] == "N"
        assert parse(guesser.ask(STATUS)).fields["CQ"] == "N"
        assert parse(guesser.ask(f"11NN{NOW}{NOW}AOx|AAc1|ABb1|AC|AD1234|")).fields["AF"].startswith("Too many wrong PINs")
        assert parse(kiosk.ask(STATUS)).fields["CQ"] == "Y"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_lock_out_ends_by_itself_and_a_card_that_is_tried_everywhere_is_locked_everywhere(library: Embedded, clock: Clock) -> None:
    many = {f"k{number}": Terminal(password=PASSWORD) for number in range(EVERYWHERE // HERE + 1)}

    def right(kiosk: Raw, pin: str) -> bool:
        return parse(kiosk.ask(STATUS.replace("AD1234", f"AD{pin}"))).fields["CQ"] == "Y"

    with running(library, now=clock, known=terminals(**many)) as server:
        server.house.lockout = Lockout(now=lambda: clock.now.timestamp())
        for login in many:
            with Raw(server.port) as kiosk:
                kiosk.log_in(login)
                assert right(kiosk, "1234") == (login != "k5")
                assert not any(right(kiosk, str(pin)) for pin in range(HERE))
                assert not right(kiosk, "1234")
        with Raw(server.port) as kiosk:
            kiosk.log_in("kiosk1")
            assert not right(kiosk, "1234")
            clock.on(seconds=FORGET_SECONDS + 1)
            assert right(kiosk, "1234")
            kiosk.log_in("k0")
            assert right(kiosk, "1234")


def test_what_was_asked_is_answered_before_the_server_stops(library: Embedded, clock: Clock) -> None:
    kept = hashed("9999")
    library.store.apply([["patron", library.store.get("patron", "p2") | {"pin": kept}]])
    with running(library, now=clock) as server, Raw(server.port) as kiosk:
        kiosk.log_in()
        kiosk.send(f"11NN{NOW}{NOW}AOx|AAc2|ABb1|AC|AD9999|\r".encode())
        _until(lambda: any(one.busy for one in server.server.connections) or library.store.get("loan", "b1"))
        server.call(server.server.close())
        assert kiosk.read().startswith(b"121")
        assert kiosk.read() == b""


def test_a_profile_that_is_changed_counts_from_the_next_login(library: Embedded, clock: Clock) -> None:
    with running(library, now=clock) as server, Raw(server.port) as kiosk:
        kiosk.log_in()
        server.house.profiles["kiosk1"] = Profile.model_validate({"output": {"name": "***"}})
        assert "Reader One" in kiosk.ask(STATUS)
        kiosk.log_in()
        assert "AE***|" in kiosk.ask(STATUS)


@embedded
def test_a_machine_that_goes_while_it_logs_in_takes_no_place(library: Embedded) -> None:
    known, go = terminals(one=Terminal(password=PASSWORD, connections=1)), threading.Event()
    with running(library, known=known) as server, Raw(server.port) as second:
        try:
            for _ in range(2):  # all that check passwords are busy
                server.house.pins._threads.submit(go.wait)
            with Raw(server.port) as first:
                first.send(b"9300CNone|COsecret|\r")
                _until(lambda: server.house.pins._looking and _metric(server, "sip2_connections") == 2)
            _until(lambda: _metric(server, "sip2_connections") == 1)
        finally:
            go.set()
        second.log_in("one")


@embedded
def test_a_status_that_is_asked_with_one_number_ever_is_answered_as_it_is_now(library: Embedded, clock: Clock) -> None:
    with running(library, now=clock) as server, Raw(server.port) as kiosk:
        kiosk.log_in()
        told = []
        for _ in range(2):
            kiosk.send(sealed("9900802.00", sequence="1"))
            told.append(parse(opened(kiosk.read()).body.decode()).fixed["date and time"])
            clock.on(minutes=1)
        assert told == [NOW, "20261120    130100"]


@embedded
def test_a_machine_that_lost_its_power_is_looked_for(library: Embedded) -> None:
    with running(library) as server, Raw(server.port) as kiosk:
        kiosk.log_in()
        [connection] = server.server.connections
        assert connection._transport is not None
        wire = connection._transport.get_extra_info("socket")
        assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) <= 60
