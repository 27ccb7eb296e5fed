"""Requests and answers as functions: whatever comes in is understood or refused, and whatever goes out can be read."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from connectors.adhl.relations.manifest import read_manifest
from connectors.adhl.service.answer import fault, found, written
from connectors.adhl.service.asked import MOST_RECORDS, NAMESPACE, Asked, Malformed, of_query, of_xml
from connectors.adhl.service.index import Index
from include.engine.snapshots import latest
from tests.connectors.adhl.service.serving import made

pids = st.lists(st.from_regex(r"[0-9]{6}-(basis|katalog):[A-Za-z0-9:]{1,20}", fullmatch=True), min_size=1, max_size=5)
texts = st.text(max_size=30)


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace"))))
def test_any_bytes_are_a_request_or_refused(body: bytes) -> None:
    for read, content in ((of_xml, body), (of_query, body.decode("utf-8", "replace"))):
        try:
            assert isinstance(read(content), Asked)  # type: ignore[operator]
        except Malformed as wrong:
            assert str(wrong)


@given(
    st.lists(
        st.tuples(st.sampled_from(["pid", "numRecords", "outputType", "callback", "ADHLRequest", "topTenRequest", "x"]), texts), max_size=6
    )
)
def test_any_query_is_a_request_or_refused(parameters: list[tuple[str, str]]) -> None:
    try:
        asked = of_query(urlencode(parameters, errors="replace"))
    except Malformed:
        return
    assert 1 <= asked.records <= MOST_RECORDS
    assert asked.callback is None or (asked.json and asked.callback.replace(".", "").replace("_", "").replace("$", "").isalnum())


@given(pids, st.integers(1, 10**9), st.booleans())
def test_a_request_says_the_same_at_both_doors(asked: list[str], records: int, json_wanted: bool) -> None:
    kind = "JSON" if json_wanted else "XML"
    query = urlencode([("ADHLRequest", ""), *(("pid", pid) for pid in asked), ("numRecords", records), ("outputType", kind)])
    inner = f"<id>{''.join(f'<pid>{pid}</pid>' for pid in asked)}</id><numRecords>{records}</numRecords><outputType>{kind}</outputType>"
    body = f'<adhlRequest xmlns="{NAMESPACE}">{inner}</adhlRequest>'
    assert of_query(query) == of_xml(body.encode()) == Asked("adhlRequest", tuple(asked), min(records, MOST_RECORDS), json_wanted)


@given(texts, texts, st.sampled_from([None, "http://schemas.xmlsoap.org/soap/envelope/"]))
def test_any_title_makes_an_answer_that_can_be_read(title: str, creator: str, soap: str | None) -> None:
    title, creator = (text.encode("utf-8", "replace").decode() for text in (title, creator))
    content = {"recorddata": [{"pid": "1-basis:2", "title": title, "creator": creator}]}
    root = etree.fromstring(written(Asked("pingRequest", ("1-basis:2",), soap=soap), content)[0])
    assert root.findtext(".//{*}pid") == "1-basis:2"
    told = json.loads(written(Asked("pingRequest", ("1-basis:2",), json=True), content)[0])
    assert told["pingResponse"]["recorddata"][0]["title"] == {"$": title}
    script = written(Asked("pingRequest", ("1-basis:2",), json=True, callback="a.b"), content)[0]
    assert script.startswith(b"/**/a.b({") and script.isascii()


@given(texts)
def test_a_fault_never_carries_mark_up_from_the_request(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    root = etree.fromstring(fault(text, None)[0])
    assert [etree.QName(one).localname for one in root.iter()] == ["Envelope", "Body", "Fault", "faultcode", "faultstring"]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    root = made(tmp_path_factory.mktemp("adhl"))
    manifest = latest(root, read_manifest)
    assert manifest is not None
    return Index.open(root / manifest.path, manifest)


def test_a_pid_that_is_longer_shorter_or_between_others_is_not_found(index: Index) -> None:
    for pid in ("", "8", "870970-basis:", "870970-basis:1000", "870970-basis:10", "zzz", "870970-basis:100" + "0" * 5000, "æ:ø"):
        assert index.number(pid) is None
    numbers = [index.number(index.name(number)) for number in range(index.titles)]
    assert numbers == list(range(index.titles))


def test_an_empty_release_has_no_results(tmp_path: Path) -> None:
    root = made(tmp_path, [])
    manifest = latest(root, read_manifest)
    assert manifest is not None
    index = Index.open(root / manifest.path, manifest)
    assert index.titles == 0
    for asked in (Asked("adhlRequest", ("870970-basis:100",)), Asked("topTenRequest", ())):
        assert found(asked, index) == {"error": "No results"}
