"""The bridge before a library system that is slow, away, answers anything, or answers oddly; over real sockets."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from connectors.circulation.sip2.codec import parse
from connectors.circulation.sip2.framing import Framed
from connectors.circulation.sip2.framing import opened as line_of
from connectors.circulation.sip2.framing import sealed as framed
from connectors.circulation.sip2.https import NAMESPACE, Envelope, opened, sealed
from connectors.circulation.sip2.server import Limits
from include.sandbox.servers.asgi import serving
from tests.connectors.circulation.running import Raw, bridging

LOGIN = "9300CNk1|COsecret|"
PAY = "3720261120    1300000100DKKBV5.00|AO|AAc1|BKT7|"


@contextmanager
def before(answer: Callable[[Envelope], Response], **more: Any) -> Iterator[int]:
    """A bridge before a library system that answers so; its port."""

    async def post(request: Request) -> Response:
        return answer(opened(await request.body()))

    with (
        serving(Starlette(routes=[Route("/sip2", post, methods=["POST"])])) as port,
        bridging(f"http://127.0.0.1:{port}/sip2", **more) as own,
    ):
        yield own


def _said(text: str) -> Response:
    return Response(f'<ns1:sip xmlns:ns1="{NAMESPACE}"><response>{text}</response></ns1:sip>', media_type="text/xml")


def test_a_line_that_comes_again_with_its_number_is_not_asked_again() -> None:
    heard = list[str]()

    def answer(asked: Envelope) -> Response:
        heard.append((asked.request or "")[:2])
        return _said("941" if heard == ["93"] else f"38Y20261120    13000{len(heard)}AO|AAc1|")

    with before(answer) as port, Raw(port) as kiosk:
        assert kiosk.ask(LOGIN) == "941"
        kiosk.send(framed(PAY, sequence="1") * 2)
        first = kiosk.read()
        assert (kiosk.read(), line_of(first).intact, heard) == (first, True, ["93", "37"])
        kiosk.send(framed(PAY, sequence="2"))
        assert kiosk.read() != first and heard == ["93", "37", "37"]


@pytest.mark.parametrize("text", ["\n    941\n  ", "941&#13;", "941AY1AZFDFC&#13;&#10;"], ids=["indented", "a line end", "a checksum"])
def test_what_stands_around_an_answer_is_not_passed_on(text: str) -> None:
    with before(lambda _: _said(text)) as port, Raw(port) as kiosk:
        assert kiosk.ask(LOGIN) == "941"
        kiosk.send(framed(LOGIN, sequence="3"))
        assert line_of(kiosk.read()) == Framed(b"941", "3", True)


@pytest.mark.parametrize(
    "answer",
    [_said("941&#13;940"), _said(" "), Response("<html>", status_code=502), _said("9" * 200_000), Response(b"", status_code=204)],
    ids=["two lines", "none", "no XML", "far too much", "nothing"],
)
def test_what_is_no_answer_is_none(answer: Response) -> None:
    with before(lambda _: answer) as port, Raw(port) as kiosk:
        kiosk.send(LOGIN.encode() + b"\r")
        assert kiosk.read() == b""


def test_who_dribbles_an_answer_is_not_waited_for() -> None:
    async def drops() -> Iterator[bytes]:  # type: ignore[misc]
        while True:
            yield b" "
            await asyncio.sleep(0.05)

    with before(lambda _: StreamingResponse(drops()), seconds=0.3) as port, Raw(port) as kiosk:  # type: ignore[arg-type]
        kiosk.send(LOGIN.encode() + b"\r")
        assert kiosk.read() == b""


def test_a_machine_may_ask_for_the_status_before_it_logs_in_and_after_a_wrong_login() -> None:
    def answer(asked: Envelope) -> Response:
        if (asked.login, asked.password) != ("k1", "secret"):
            return Response(sealed(Envelope(error="the login was refused")))
        return _said({"93": "941", "99": "98NNNNNN03000320261120    1300002.00AOlindeby|BXYYYYYYYYYYYYYYYY|"}[(asked.request or "")[:2]])

    with before(answer) as port, Raw(port) as kiosk:
        for _ in range(2):
            status = parse(kiosk.ask("9900802.00"))
            assert (status.code, status.fixed["online"], status.repairs) == ("98", "Y", ())
            assert kiosk.ask("9300CNk1|COwrong|") == "940"
        assert kiosk.ask(LOGIN) == "941"
        assert parse(kiosk.ask("9900802.00")).fixed["online"] == "N"


def _of_a_login(asked: Envelope) -> Response:
    return _said("941" if (asked.request or "").startswith("93") else "98")


def test_there_is_room_for_so_many_connections_and_for_another_when_one_has_gone() -> None:
    with before(_of_a_login, limits=Limits(connections=2)) as port, Raw(port) as stays:
        assert stays.ask(LOGIN) == "941"
        with Raw(port) as goes:
            assert goes.ask(LOGIN) == "941"
            assert _refused(port)
            assert stays.ask("9900802.00") == "98"
        deadline = time.monotonic() + 60
        while _refused(port):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def _refused(port: int) -> bool:
    try:
        with Raw(port) as machine:
            return machine.ask(LOGIN) == ""
    except ConnectionError:
        return True


@pytest.mark.parametrize(("limits", "asks"), [(Limits(login_s=0.2), False), (Limits(idle_s=0.2), True)], ids=["without a login", "idle"])
def test_who_says_nothing_is_not_waited_for(limits: Limits, asks: bool) -> None:
    with before(_of_a_login, limits=limits) as port, Raw(port) as kiosk:
        if asks:
            assert kiosk.ask(LOGIN) == "941"
        assert kiosk.read() == b""


def test_bytes_that_come_one_by_one_are_no_login() -> None:
    with before(_of_a_login, limits=Limits(login_s=0.3)) as port, Raw(port) as kiosk:
        kiosk.socket.settimeout(0.02)
        deadline = time.monotonic() + 60
        while True:
            assert time.monotonic() < deadline
            try:
                kiosk.send(b"9")
                if kiosk.socket.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break


def test_who_does_not_read_is_cut_off_and_the_others_are_answered() -> None:
    def answer(asked: Envelope) -> Response:
        return _said("941" if (asked.request or "").startswith("93") else "24" + "x" * 16_000)

    with before(answer, limits=Limits(stuck_s=0.3)) as port, Raw(port) as deaf, Raw(port) as hears:
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        assert (deaf.ask(LOGIN), hears.ask(LOGIN)) == ("941", "941")
        deadline = time.monotonic() + 60
        with pytest.raises(ConnectionError):
            while time.monotonic() < deadline:
                deaf.send(b"23001\r")
                time.sleep(0.002)
        assert hears.ask("23001")[:2] == "24"
