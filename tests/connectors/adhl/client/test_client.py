"""The client against our own service, and against a small server that answers in the shape of the published code, late, wrongly or not at all."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from connectors.adhl.client import NAMESPACE, Client, Found, read_answer
from include.engine.errors import Unreachable
from tests.connectors.adhl.service.serving import made, served

BASIS = "870970-basis:"
Answer = tuple[int, bytes]


@contextmanager
def answering(answer: Callable[[int, bytes], Answer]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers its nth request (from 0) as `answer` says; yields its address, and the bodies that it got."""
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append(body)
            status, content = answer(len(got) - 1, body)
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def enveloped(inner: str) -> bytes:
    """In the manner of the published code: a prefix for the envelope, none for the answer."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/" '
        f'xmlns="{NAMESPACE}"><SOAP-ENV:Body>{inner}</SOAP-ENV:Body></SOAP-ENV:Envelope>'
    ).encode()


def code_shape(name: str, *titles: tuple[str, str, str]) -> bytes:
    records = "".join(
        f"<recorddata><pid>{pid}</pid><title>{title}</title><creator>{creator}</creator></recorddata>" for pid, title, creator in titles
    )
    return enveloped(f"<{name}>{records}</{name}>")


def quick(url: str, **more: float) -> Client:
    return Client(url, **{"seconds": 60.0, "attempts": 3, "patience": 300.0, **more})  # type: ignore[arg-type]


def test_our_own_service_is_understood(tmp_path: Path) -> None:
    with served(made(tmp_path), tmp_path / "log") as running, Client(running.url) as client:
        assert [one.pid for one in client.related([f"{BASIS}100"])] == [f"{BASIS}{number}" for number in ("200", "300", "400")]
        assert client.related([f"{BASIS}100"], 1) == [Found(f"{BASIS}200")]
        assert client.named([f"{BASIS}200"])[0] == Found(f"{BASIS}100", "Title 100", "Writer of 100")
        assert client.top(1) == [Found(f"{BASIS}200", "Title 200", "Writer of 200")]
        assert client.related([f"{BASIS}500"]) == []


def test_the_shape_of_the_published_code_is_understood() -> None:
    titles = [(f"{BASIS}1", "En &amp; to", "Lyngsø, Holger"), (f"{BASIS}2", "", "")]
    with answering(lambda _, body: (200, code_shape("adhlResponse", *titles))) as (url, got), quick(url) as client:
        assert client.related([f"{BASIS}9", "899002-katalog:a:b"], 7) == [
            Found(f"{BASIS}1", "En & to", "Lyngsø, Holger"),
            Found(f"{BASIS}2"),
        ]
    asked = etree.fromstring(got[0]).find(".//{*}adhlRequest")
    assert [pid.text for pid in asked.iter(f"{{{NAMESPACE}}}pid")] == [f"{BASIS}9", "899002-katalog:a:b"]
    assert asked.findtext(f"{{{NAMESPACE}}}numRecords") == "7"


def test_the_published_codes_error_inside_a_record_is_no_title() -> None:
    inside = enveloped("<adhlResponse><recorddata><error>No results</error></recorddata></adhlResponse>")
    with answering(lambda *_: (200, inside)) as (url, got), quick(url) as client:
        assert client.related([f"{BASIS}9"]) == []
        assert len(got) == 1


def test_top_ten_is_read_as_records_and_as_recorddata() -> None:
    record = f"<topTenResponse><record><recordId>{BASIS}1</recordId><creator>A</creator><title>B</title></record></topTenResponse>"
    for content in (enveloped(record), code_shape("topTenResponse", (f"{BASIS}1", "B", "A"))):
        with answering(lambda *_, content=content: (200, content)) as (url, _), quick(url) as client:
            assert client.top() == [Found(f"{BASIS}1", "B", "A")]


@pytest.mark.parametrize(
    "bad",
    [
        (503, b""),
        (429, b"slow down"),
        (500, b"<html>oops</html>"),
        (200, enveloped("<adhlResponse><error>could not perform search</error></adhlResponse>")),
        (200, enveloped("<adhlResponse><recorddata><error>could not perform search</error></recorddata></adhlResponse>")),
    ],
)
def test_what_may_pass_is_tried_again(bad: Answer) -> None:
    good = (200, code_shape("adhlResponse", (f"{BASIS}1", "", "")))
    with answering(lambda number, _: good if number else bad) as (url, got), quick(url) as client:
        assert client.related([f"{BASIS}9"]) == [Found(f"{BASIS}1")]
        assert len(got) == 2


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ((404, b""), "status 404"),
        ((302, b""), "status 302"),
        ((200, b"<html>"), "no XML"),
        ((200, enveloped("<topTenResponse/>")), "no adhlResponse"),
        ((200, b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + code_shape("adhlResponse")[39:]), "document type"),
        ((200, b" " * 5_000_000), "larger"),
        (
            (500, enveloped("<SOAP-ENV:Fault><faultcode>Client</faultcode><faultstring>no such pid</faultstring></SOAP-ENV:Fault>")),
            "no such pid",
        ),
    ],
)
def test_what_no_retry_mends_is_an_error_at_once(bad: Answer, said: str) -> None:
    with answering(lambda *_: bad) as (url, got), quick(url) as client:
        with pytest.raises(Unreachable, match=said) as failed:
            client.related([f"{BASIS}9"])
        assert failed.value.code == "ADHL_SERVICE_FAILED"
        assert len(got) == 1


def test_a_service_that_goes_on_failing_is_given_up_after_its_attempts() -> None:
    with answering(lambda *_: (503, b"")) as (url, got), quick(url) as client:
        with pytest.raises(Unreachable, match="status 503"):
            client.related([f"{BASIS}9"])
        assert len(got) == 3


def test_a_service_that_does_not_answer_in_time_or_is_not_there_is_told_so() -> None:
    def late(*_: object) -> Answer:
        time.sleep(1)
        return 200, b""

    with answering(late) as (url, _), quick(url, seconds=0.2, attempts=2) as client, pytest.raises(Unreachable, match="Timeout"):
        client.related([f"{BASIS}9"])
    with quick(url, attempts=2) as client, pytest.raises(Unreachable, match="Connect"):
        client.related([f"{BASIS}9"])


def test_an_answer_that_comes_a_byte_now_and_then_is_not_waited_for_without_end() -> None:
    gone = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
                while not gone.wait(0.05):
                    connection.sendall(b" ")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        with quick(url, patience=0.3) as client, pytest.raises(Unreachable, match="did not end within"):
            client.related([f"{BASIS}9"])
        gone.set()
        thread.join(10)


def test_an_address_that_is_none_is_told_so() -> None:
    with Client("http://[::1") as client, pytest.raises(Unreachable, match="InvalidURL"):
        client.related([f"{BASIS}9"])


@pytest.mark.parametrize("pids", [[], ["29938768"], [f"{BASIS}1", "<pid>"], [f"{BASIS}{'1' * 200}"]])
def test_what_is_no_pid_is_not_asked_for(pids: list[str]) -> None:
    with Client("http://127.0.0.1:9/") as client, pytest.raises(ValueError, match="no pid"):
        client.related(pids)


texts = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=20).map(str.strip)
titles = st.lists(st.builds(Found, st.from_regex(r"[0-9]{6}-(basis|katalog):[A-Za-z0-9]{1,12}", fullmatch=True), texts, texts), max_size=6)


@given(titles, st.booleans(), st.booleans())
def test_both_shapes_give_the_same_titles(found: list[Found], envelope: bool, dressed: bool) -> None:
    answer = etree.Element(f"{{{NAMESPACE}}}pingResponse", nsmap={"a" if dressed else None: NAMESPACE})
    for one in found:
        record = etree.SubElement(answer, f"{{{NAMESPACE}}}recorddata")
        for name in ("pid", "title", "creator"):
            etree.SubElement(record, f"{{{NAMESPACE}}}{name}").text = getattr(one, name)
    root = answer
    if envelope:
        root = etree.Element("{http://schemas.xmlsoap.org/soap/envelope/}Envelope")
        etree.SubElement(root, "{http://schemas.xmlsoap.org/soap/envelope/}Body").append(answer)
    assert read_answer(etree.tostring(root), "pingResponse") == found
