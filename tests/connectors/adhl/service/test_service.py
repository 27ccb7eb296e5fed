"""The service over a real socket: both doors, all three requests, valid by the XSD; hostile requests; releases exchanged while it runs."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import zeep
from lxml import etree

from connectors.adhl.relations.manifest import read_manifest
from include.engine.engine import ROOT
from include.engine.snapshots import latest
from include.sandbox.servers.ports import wait_until_closed
from tests.connectors.adhl.relations.small_lake import readers
from tests.connectors.adhl.service.serving import Served, made, served

A = "{http://oss.dbc.dk/ns/adhl}"
XSD = etree.XMLSchema(etree.parse(ROOT / "connectors" / "adhl" / "service" / "adhl.xsd"))
BASIS = "870970-basis:"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("adhl")
    with served(made(home), home / "service.log") as running:
        yield running


def soap(inner: str, envelope: str = "http://schemas.xmlsoap.org/soap/envelope/") -> str:
    return f'<e:Envelope xmlns:e="{envelope}" xmlns:a="{A[1:-1]}"><e:Header/><e:Body>{inner}</e:Body></e:Envelope>'


def adhl(*numbers: str, more: str = "", kind: str = "adhlRequest") -> str:
    pids = "".join(f"<a:pid>{BASIS}{number}</a:pid>" for number in numbers)
    return f"<a:{kind}><a:id><!-- 1 or more -->{pids}</a:id>{more}</a:{kind}>"


def valid(answer: httpx.Response) -> etree._Element:
    """The answer's element, out of its envelope, held against the XSD."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/xml")
    root = etree.fromstring(answer.content)
    if etree.QName(root).localname == "Envelope":
        root = next(iter(root.find("{*}Body")))
    XSD.assertValid(root)
    return root


def pids(answer: httpx.Response) -> list[str]:
    return [pid.text.partition(":")[2] for pid in valid(answer).iter(f"{A}pid")]


def test_adhl_over_soap_gives_what_others_borrowed_the_strongest_first(service: Served) -> None:
    answer = service.post(soap(adhl("100")))
    assert pids(answer) == ["200", "300", "400"]
    assert etree.fromstring(answer.content).tag == "{http://schemas.xmlsoap.org/soap/envelope/}Envelope"


def test_the_envelope_of_dbcs_example_without_its_last_slash_is_answered_in_kind(service: Served) -> None:
    answer = service.post(soap(adhl("100"), "http://schemas.xmlsoap.org/soap/envelope"))
    assert pids(answer) == ["200", "300", "400"]
    assert etree.QName(etree.fromstring(answer.content)).namespace == "http://schemas.xmlsoap.org/soap/envelope"


def test_adhl_over_rest_gives_the_same_as_xml(service: Served) -> None:
    answer = service.get(f"ADHLRequest&pid={BASIS}100&_=1700000000000")
    assert pids(answer) == ["200", "300", "400"]
    assert valid(answer).tag == f"{A}adhlResponse"
    assert pids(service.post(f"ADHLRequest&pid={BASIS}100", "application/x-www-form-urlencoded")) == ["200", "300", "400"]


def test_head_is_answered_as_get_is_without_the_body(service: Served) -> None:
    asked = f"{service.url}?ADHLRequest&pid={BASIS}100"
    answer = httpx.head(asked, timeout=30)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == httpx.get(asked, timeout=30).headers["content-length"]


def test_a_request_by_itself_is_answered_without_an_envelope(service: Served) -> None:
    bare = adhl("200").replace("<a:adhlRequest>", f'<a:adhlRequest xmlns:a="{A[1:-1]}">')
    assert pids(service.post(bare)) == ["100", "600"]


def test_of_several_titles_none_comes_back_and_what_is_related_to_most_comes_first(service: Served) -> None:
    assert pids(service.post(soap(adhl("100", "100", "200")))) == ["600", "300", "400"]
    assert pids(service.post(soap(adhl("300", "400", "no such title")))) == ["100"]


def test_num_records_cuts_the_answer(service: Served) -> None:
    assert pids(service.post(soap(adhl("100", more="<a:numRecords>2</a:numRecords>")))) == ["200", "300"]
    assert pids(service.get(f"adhlrequest&pid={BASIS}100&numRecords=1")) == ["200"]
    assert pids(service.get(f"adhlrequest&pid={BASIS}100&numRecords=1000000000")) == ["200", "300", "400"]


def test_ping_gives_the_same_titles_by_name(service: Served) -> None:
    answer = valid(service.post(soap(adhl("100", kind="pingRequest"))))
    names = [(one.findtext(f"{A}pid"), one.findtext(f"{A}title"), one.findtext(f"{A}creator")) for one in answer]
    assert names[0] == (f"{BASIS}200", "Title 200", "Writer of 200")
    assert names[1] == (f"{BASIS}300", "Brød & smør <3  ", "Ærø \"ø\" 'å'")  # a bell is no character of XML


def test_top_ten_gives_the_most_borrowed_titles_and_how_many_patrons_at_least(service: Served) -> None:
    answer = valid(service.post(soap("<a:topTenRequest><a:numRecords>3</a:numRecords></a:topTenRequest>")))
    told = [(one.findtext(f"{A}recordId"), one.findtext(f"{A}title"), one.findtext(f"{A}rankValue")) for one in answer]
    assert told == [(f"{BASIS}200", "Title 200", "25"), (f"{BASIS}100", "Title 100", "25"), (f"{BASIS}600", "Title 600", "20")]
    assert all(one.tag == f"{A}record" for one in valid(service.get("topTenRequest")))


def test_what_is_under_the_threshold_or_unknown_has_no_results(service: Served) -> None:
    for number in ("500", "999", "x" * 3000):
        assert valid(service.post(soap(adhl(number)))).findtext(f"{A}error") == "No results"
    assert valid(service.get("pingRequest&pid=nonsense")).findtext(f"{A}error") == "No results"


def test_json_has_the_same_tree_and_a_callback_around_it_where_one_is_asked_for(service: Served) -> None:
    plain = service.get(f"ADHLRequest&pid={BASIS}100&outputType=json")
    assert plain.headers["content-type"] == "application/json"
    assert plain.json() == {
        "adhlResponse": {"pid": [{"$": f"{BASIS}{number}"} for number in ("200", "300", "400")]},
        "@namespaces": {"$": "http://oss.dbc.dk/ns/adhl"},
    }
    wrapped = service.get(f"ADHLRequest&pid={BASIS}100&outputType=JSON&callback=my.show_$1")
    assert wrapped.headers["content-type"].startswith("application/javascript")
    assert wrapped.headers["x-content-type-options"] == "nosniff"
    assert wrapped.text.startswith("/**/my.show_$1(") and wrapped.text.endswith(");")
    assert json.loads(wrapped.text[15:-2]) == plain.json()
    assert service.post(soap(adhl("999", more="<a:outputType>JSON</a:outputType>"))).json()["adhlResponse"] == {
        "error": {"$": "No results"}
    }
    assert "<" not in service.get(f"pingRequest&pid={BASIS}100&outputType=json").json()["pingResponse"]["recorddata"][0]["title"]["$"]


@pytest.mark.parametrize(
    "callback", ["alert(1)//", "a;b", "<script>", "a[0]", "1a", ".a", "a.", "a" * 101, "café", "a\u2028b", "a b", "%0aevil"]
)
def test_a_callback_that_is_no_name_of_a_function_is_refused_and_not_repeated(service: Served, callback: str) -> None:
    answer = httpx.get(service.url, params={"ADHLRequest": "", "pid": f"{BASIS}100", "outputType": "json", "callback": callback})
    assert answer.status_code == 400
    assert callback not in answer.text
    assert "callback" in answer.json()["error"]["$"]


def test_the_question_marks_of_dbcs_own_examples_are_no_settings(service: Served) -> None:
    asked = adhl("100", more="<a:numRecords>2</a:numRecords><a:outputType>?</a:outputType><a:callback>?</a:callback>")
    assert pids(service.post(soap(asked))) == ["200", "300"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "no XML"),
        ("not XML", "no XML"),
        (soap(""), "one request"),
        (soap(adhl("100") * 2), "one request"),
        ("<e:Envelope xmlns:e='urn:other'><e:Body/></e:Envelope>", "not SOAP"),
        (soap("<a:deleteRequest/>"), "deleteRequest"),
        (soap("<adhlRequest/>"), "none of"),
        (soap(adhl("100", more="<a:sex>k</a:sex>")), "sex"),
        (soap("<a:adhlRequest><a:id><a:faust>1</a:faust></a:id></a:adhlRequest>"), "faust"),
        (soap("<a:adhlRequest><a:id/></a:adhlRequest>"), "one pid at least"),
        (soap(adhl("100", more="<a:numRecords>0</a:numRecords>")), "whole number"),
        (soap(adhl("100", more="<a:numRecords>1e9</a:numRecords>")), "whole number"),
        (soap(adhl("100", more="<a:numRecords>1</a:numRecords><a:numRecords>2</a:numRecords>")), "once"),
        (soap(adhl(*map(str, range(101)))), "100 pids"),
        (f'<!DOCTYPE a [<!ENTITY b "c">]>{soap(adhl("100"))}', "document type"),
    ],
)
def test_what_the_interface_does_not_know_is_a_fault_that_says_what_is_wrong(service: Served, body: str, said: str) -> None:
    answer = service.post(body)
    assert answer.status_code == 500
    fault = etree.fromstring(answer.content).find(".//{*}Fault")
    assert fault.findtext("faultcode") == "s:Client"
    assert said in fault.findtext("faultstring")


@pytest.mark.parametrize("query", ["", "pid=1", "ADHLRequest", "ADHLRequest&topTenRequest", "ADHLRequest&pid=%ff", "topTenRequest&pid=1:2"])
def test_a_query_that_is_no_request_is_refused(service: Served, query: str) -> None:
    assert service.get(query).status_code == 400


def test_a_bomb_of_entities_costs_nothing(service: Served) -> None:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY l0 "lol">{levels}]>' + soap(adhl("&l11;"))
    external = f'<!DOCTYPE b [<!ENTITY x SYSTEM "file:///etc/passwd">]>{soap(adhl("&x;"))}'
    for body in (bomb.encode(), external.encode(), bomb.encode("utf-16"), bomb.encode("utf-7")):
        start = time.monotonic()
        answer = service.post(body)
        assert time.monotonic() - start < 30, "spelled out it would be 300 GB"
        assert answer.status_code == 500
        assert "root:" not in answer.text


def test_a_huge_body_is_refused_before_it_is_read(service: Served) -> None:
    answer = service.post(b"<a>" + b" " * 70_000)
    assert answer.status_code == 413
    chunked = httpx.post(service.url, content=(b" " * 10_000 for _ in range(50)), headers={"content-type": "text/xml"})
    assert chunked.status_code == 413


def test_other_methods_and_paths_are_not_there(service: Served) -> None:
    assert httpx.put(service.url, content=b"x").status_code == 405
    assert httpx.get(f"{service.url}../../etc/passwd").status_code == 404


def test_health_tells_the_release(service: Served) -> None:
    told = httpx.get(f"{service.url}health").json()
    assert (told["status"], told["titles"], told["problem"]) == ("ok", 5, None)


def test_a_soap_library_finds_its_way_by_the_wsdl(service: Served) -> None:
    client = zeep.Client(f"{service.url}?wsdl")
    assert client.bind("ADHL", "ADHLPort").ADHLRequest(id={"pid": [f"{BASIS}100"]}, numRecords=2)["pid"] == [f"{BASIS}200", f"{BASIS}300"]
    named = client.bind("ADHL", "pingPort").pingRequest(id={"pid": [f"{BASIS}200"]})
    assert [one["title"] for one in named["recorddata"]] == ["Title 100", "Title 600"]
    assert len(client.bind("ADHL", "topTenPort").topTenRequest()["record"]) == 5


def test_before_the_first_release_a_search_could_not_be_performed_and_a_newer_one_is_taken_while_it_runs(tmp_path: Path) -> None:
    root = tmp_path / "adhl_relations"
    with served(root, tmp_path / "log") as running:
        assert valid(running.get(f"ADHLRequest&pid={BASIS}100")).findtext(f"{A}error") == "could not perform search"
        assert httpx.get(f"{running.url}health").status_code == 503
        for version, numbers in enumerate((("100", "200"), ("100", "200", "300")), 1):
            made(tmp_path, readers(9, *numbers), version)
            newest = latest(root, read_manifest)
            assert newest is not None
            running.wait_for(newest.snapshot)
            assert pids(running.get(f"ADHLRequest&pid={BASIS}100")) == [number for number in numbers if number != "100"]


def test_a_damaged_release_is_not_taken_and_the_one_before_goes_on(tmp_path: Path) -> None:
    root = made(tmp_path, readers(9, "100", "200"))
    good = (root / "latest.json").read_bytes()
    with served(root, tmp_path / "log") as running:
        found = latest(root, read_manifest)
        assert found is not None
        running.wait_for(found.snapshot)
        shutil.copytree(root / found.path, root / "snapshots" / "damaged")
        (root / "snapshots" / "damaged" / "index" / "pid.npy").write_bytes(b"")
        (root / "latest.json").write_bytes(good.replace(f"snapshots/{found.snapshot}".encode(), b"snapshots/damaged"))
        until = time.monotonic() + 60
        while httpx.get(f"{running.url}health").json()["status"] == "ok" and time.monotonic() < until:
            time.sleep(0.1)
        told = httpx.get(f"{running.url}health").json()
        assert (told["status"], told["release"]) == ("degraded", found.snapshot)
        assert "pid.npy" in told["problem"]
        assert pids(running.get(f"ADHLRequest&pid={BASIS}100")) == ["200"]


def test_sigterm_lets_the_request_under_way_be_answered(tmp_path: Path) -> None:
    with served(made(tmp_path, readers(9, "100", "200")), tmp_path / "log") as running:
        body = soap(adhl("100")).encode()
        port = int(running.url.rstrip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=60) as wire:
            head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: text/xml\r\nexpect: 100-continue\r\n"
            wire.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode())
            assert b" 100 " in wire.recv(65536)  # the request is under way
            wire.sendall(body[:20])
            running.process.send_signal(signal.SIGTERM)
            assert wait_until_closed(port)
            wire.sendall(body[20:])
            answer = b""
            while part := wire.recv(65536):
                answer += part
        assert b"200 OK" in answer
        assert f"{BASIS}200".encode() in answer
        assert running.process.wait(60) in (0, -signal.SIGTERM)


def test_what_is_looked_up_is_in_no_log(tmp_path: Path) -> None:
    with served(made(tmp_path, readers(9, "100", "200")), tmp_path / "log") as running:
        running.get(f"ADHLRequest&pid={BASIS}100")
        running.post(soap(adhl("100", more="<a:sex>k</a:sex>")))
    assert BASIS not in (tmp_path / "log").read_text()
