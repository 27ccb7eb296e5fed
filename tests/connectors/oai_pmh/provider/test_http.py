"""The provider over a real socket: compression, conditions, forms, limits, and what hostile clients send."""

from __future__ import annotations

import gzip
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from connectors.oai_pmh.provider.app import application
from connectors.oai_pmh.provider.desk import takes_gzip
from connectors.oai_pmh.provider.index import file_in
from connectors.oai_pmh.provider.rate import CLIENTS, Rate
from include.sandbox.servers.asgi import serving
from tests.connectors.oai_pmh.provider.house import ENVELOPE, Shelf, row

LIST = "/oai?verb=ListRecords&metadataPrefix=marcxml"


@pytest.fixture(scope="module")
def shelf_(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    shelf = Shelf(tmp_path_factory.mktemp("oai"), page=50)
    shelf.put("lindeby", {"a": [row(n) for n in range(120)]})
    shelf.look()
    connection = sqlite3.connect(file_in(shelf.folder))  # as if made an hour ago: no test waits for the second to end
    for table in ("record", "batch"):
        connection.execute(f"UPDATE {table} SET datestamp = datestamp - 3600")
    connection.execute("UPDATE meta SET value = value - 7200 WHERE name = 'born'")
    connection.commit()
    connection.close()
    return shelf


@pytest.fixture(scope="module")
def client(shelf_: Shelf) -> Iterator[httpx.Client]:
    with serving(application(shelf_.repository(rate=0))) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        yield client


def read(answer: httpx.Response) -> etree._Element:
    root = etree.fromstring(answer.content)
    ENVELOPE.assertValid(root)
    return root


def test_a_page_is_compressed_for_who_asks_and_the_same_for_who_does_not(client: httpx.Client) -> None:
    packed = client.get(LIST, headers={"accept-encoding": "gzip"})
    plain = client.get(LIST, headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.headers["vary"] == "accept-encoding"
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 5
    tails = [read(answer).xpath("string(*[3])") for answer in (packed, plain)]
    assert tails[0] == tails[1]
    assert plain.headers["content-type"] == "text/xml; charset=utf-8"


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        ("gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("*", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("*;q=0, gzip", True),
        ("gzip;q=x", False),
    ],
)
def test_gzip_is_used_only_where_it_is_accepted(accepted: str, taken: bool) -> None:
    assert takes_gzip(accepted) is taken


def test_a_page_that_did_not_change_is_not_sent_again(client: httpx.Client) -> None:
    sets = "/oai?verb=ListSets"  # whole, and so without a token: the hour of its expiry would belong to the page
    first = client.get(sets)
    again = client.get(sets, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(f"{LIST}&set=library", headers={"if-none-match": '"other"'}).status_code == 200
    assert client.get("/oai?verb=Identify").headers["etag"] != first.headers["etag"]


def test_head_tells_the_length_and_sends_nothing(client: httpx.Client) -> None:
    answer = client.head(LIST, headers={"accept-encoding": "identity"})
    assert answer.content == b""
    assert answer.headers["content-length"] == client.get(LIST, headers={"accept-encoding": "identity"}).headers["content-length"]


def test_a_form_is_as_good_as_a_query(client: httpx.Client) -> None:
    asked = {"verb": "ListRecords", "metadataPrefix": "marcxml"}
    root = read(client.post("/oai", data=asked))
    assert len(root.xpath("//o:header", namespaces={"o": root.nsmap[None]})) == 50
    twice = read(client.post("/oai?verb=Identify", data=asked))
    assert twice.xpath("string(o:error/@code)", namespaces={"o": root.nsmap[None]}) == "badVerb"


@pytest.mark.parametrize(
    ("method", "path", "more", "status"),
    [
        ("GET", "/", {}, 404),
        ("GET", "/oai/../../etc/passwd", {}, 404),
        ("PUT", "/oai", {}, 405),
        ("DELETE", "/health", {}, 405),
        ("POST", "/oai", {"content": b"<x/>", "headers": {"content-type": "text/xml"}}, 415),
        ("POST", "/oai", {"content": b"a=" + b"x" * 20_000, "headers": {"content-type": "application/x-www-form-urlencoded"}}, 413),
        ("GET", "/oai/?verb=Identify", {}, 200),
    ],
)
def test_what_is_no_harvest_is_refused_in_plain_http(
    client: httpx.Client, method: str, path: str, more: dict[str, object], status: int
) -> None:
    assert client.request(method, path, **more).status_code == status  # type: ignore[arg-type]


def test_health_says_what_is_served(client: httpx.Client) -> None:
    said = client.get("/health").json()
    assert (said["status"], said["records"], said["trouble"], said["lake_version"]) == ("ok", 120, None, 1)


def test_before_the_index_is_made_harvesters_are_asked_to_come_again(tmp_path: Path) -> None:
    with serving(application(Shelf(tmp_path).repository())) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}{LIST}")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert httpx.get(f"http://127.0.0.1:{port}/health").status_code == 503


def test_what_goes_wrong_inside_is_noted_by_kind_and_place_and_not_told_to_the_harvester(
    shelf_: Shelf, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(application(shelf_.repository(rate=0, page="fifty"))) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}{LIST}")
    noted = capsys.readouterr().err
    assert (answer.status_code, answer.text) == (500, "Something went wrong here; it was noted.\n")
    assert "TypeError (" in noted and "connectors/oai_pmh/provider/" in noted
    assert "Traceback" not in noted


def test_who_asks_too_fast_is_told_when_to_come_again(shelf_: Shelf) -> None:
    with serving(application(shelf_.repository(rate=0.5))) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        answers = [client.get("/oai?verb=Identify") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 503, 503]
    assert answers[2].headers["retry-after"] == "2"


def test_a_bucket_fills_steadily_and_the_longest_silent_client_is_forgotten_first() -> None:
    rate = Rate(2.0)
    assert [rate.wait("a", 0.0) for _ in range(5)] == [0, 0, 0, 0, 1]
    assert [rate.wait("a", 0.5), rate.wait("a", 0.5)] == [0, 1]
    for n in range(CLIENTS):
        rate.wait(str(n), 1.0)
    assert rate.wait("a", 1.0) == 0
    assert len(rate._held) == CLIENTS
    assert Rate(0).wait("a", 0.0) == 0


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["verb", "metadataPrefix", "set", "from", "until", "identifier", "resumptionToken", "x"]),
            st.one_of(st.text(max_size=30), st.sampled_from(["ListRecords", "Identify", "GetRecord", "oai_dc", "library", "2027-01-01"])),
        ),
        max_size=5,
    )
)
def test_whatever_is_asked_the_answer_is_valid(shelf_: Shelf, asked: list[tuple[str, str]]) -> None:
    query = "&".join(f"{name}={quote(value, errors='surrogatepass')}" for name, value in asked)
    reply = shelf_.desk().harvest(query.encode(), False, "")
    ENVELOPE.assertValid(etree.fromstring(reply.body))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_are_answered_with_a_valid_error(shelf_: Shelf, query: bytes) -> None:
    root = etree.fromstring(shelf_.desk().harvest(query, False, "").body)
    ENVELOPE.assertValid(root)
    assert root.find("{*}error") is not None


def test_an_endless_head_is_cut_off(client: httpx.Client) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as raw:
        raw.sendall(b"GET /oai?")
        answer = b""
        try:
            for _ in range(100):
                raw.sendall(b"x" * 10_000)
            answer = raw.recv(1000)
        except OSError:
            return
        assert answer == b"" or b" 400 " in answer or b" 431 " in answer


def test_a_form_that_never_ends_is_given_up_on(shelf_: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.oai_pmh.provider.app.SLOWEST", 0.2)
    head = b"POST /oai HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\nverb="
    with serving(application(shelf_.repository())) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        begun = time.monotonic()
        raw.sendall(head)
        assert b" 408 " in raw.recv(1000)
        assert time.monotonic() - begun < 8


def test_too_many_at_once_are_asked_to_come_again(shelf_: Shelf) -> None:
    with serving(application(shelf_.repository(busy=0))) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/oai?verb=Identify")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_a_gzip_answer_is_one_that_the_standard_library_reads(client: httpx.Client) -> None:
    with client.stream("GET", LIST, headers={"accept-encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert gzip.decompress(raw).endswith(b"</OAI-PMH>\n")
