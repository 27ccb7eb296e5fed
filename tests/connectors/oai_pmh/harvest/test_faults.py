"""Every fault that a repository was seen to have: each ends in a harvest that is right, record by record, or in an error that says what is wrong."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from include.engine.delivery import State
from include.engine.ledger import windows
from tests.connectors.oai_pmh.harvest.conftest import same
from tests.connectors.oai_pmh.harvest.repository import DAY, Kept, Response, made, marc

XML = {"Content-Type": "text/xml"}


def once(*responses, on=lambda request: request.verb == "ListRecords" and request.token):
    """The given answers to the first such requests, then the right ones."""
    left = list(responses)

    def fault(request, answer):
        if left and on(request):
            wrong = left.pop(0)
            return wrong(answer()) if callable(wrong) else wrong
        return None

    return fault


def always(wrong, on=lambda request: request.verb == "ListRecords" and request.token):
    return lambda request, answer: (wrong(answer()) if callable(wrong) else wrong) if on(request) else None


def cut_xml(right: Response) -> Response:
    """Whole by HTTP, cut short as a document."""
    return replace(right, body=right.body[: len(right.body) * 2 // 3])


BAD_PAGES = {
    "OAI_PAGE_TRUNCATED": cut_xml,
    "OAI_PAGE_EMPTY": Response(b"  \n", headers=XML),
    "OAI_PAGE_HTML": Response(b"<!DOCTYPE html><html><body>Log in</body></html>", headers={"Content-Type": "text/html"}),
    "OAI_PAGE_OTHER": Response(b"<rss version='2.0'><channel/></rss>", headers=XML),
    "OAI_PAGE_OTHER (no answer)": lambda right: replace(right, body=re.sub(rb"<ListRecords>.*</ListRecords>", b"", right.body, flags=re.DOTALL)),
    "OAI_PAGE_OTHER (another verb)": lambda right: replace(right, body=right.body.replace(b"ListRecords>", b"ListSets>")),
    "OAI_PAGE_DTD": lambda right: replace(right, body=right.body.replace(b"<OAI-PMH", b"<!DOCTYPE x [<!ENTITY e 'x'>]><OAI-PMH", 1)),
    "OAI_PAGE_NOT_XML": lambda right: replace(right, body=right.body.replace(b"<resumptionToken", b"<b><resumptionToken", 1)),
}


@pytest.mark.parametrize("wrong", BAD_PAGES.values(), ids=BAD_PAGES)
def test_a_page_that_is_none_is_asked_for_again(house, serve, wrong) -> None:
    repository = serve(made(35))
    repository.fault = once(wrong, wrong)
    house.settle(repository.url)
    assert house.harvest().state == State.ACKNOWLEDGED
    same(house, repository)


@pytest.mark.parametrize(("code", "wrong"), [(code.partition(" ")[0], wrong) for code, wrong in BAD_PAGES.items()], ids=BAD_PAGES)
def test_a_page_that_stays_none_ends_the_run_where_it_stands_and_nothing_after_it_is_claimed(house, serve, code: str, wrong) -> None:
    repository = serve(made(35))
    repository.fault = always(wrong, on=lambda request: request.token and request.token == repository.token(20, request_params(house)))
    house.settle(repository.url)
    failed = house.harvest()
    assert (failed.state, failed.reason, house.records()) == (State.FAILED, code, {})
    [window] = windows.of_delivery(house.engine.ledger, failed.id)
    assert (window.state, window.reason, window.figures["listed"], window.covered) == ("open", code, 20, False)
    repository.fault = lambda request, answer: None
    asked = len(repository.requests)
    assert house.run(failed.id).state == State.ACKNOWLEDGED  # cleared: it goes on at the page
    assert [request.token is not None for request in repository.requests[asked:]] == [False, True, True]  # Identify, pages three and four
    same(house, repository)


def request_params(house) -> dict[str, str]:
    """What the first request of a first harvest asks for."""
    [window] = windows.find(house.engine.ledger, house.partner, "oai_harvest")
    return {"metadataPrefix": "marcxml", "until": f"{window.until_at:%Y-%m-%dT%H:%M:%SZ}"}


def test_a_connection_that_breaks_inside_a_page_is_asked_for_again(house, serve) -> None:
    repository = serve(made(35))
    repository.fault = once(lambda right: replace(right, cut=700), lambda right: replace(right, cut=0))
    house.settle(repository.url)
    house.harvest()
    same(house, repository)


def busy(status: int, **headers: str) -> Response:
    return Response(b"later", status, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    "wrong",
    [
        busy(503, Retry_After="1"),
        busy(429, Retry_After="1"),
        busy(503, Retry_After=format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)),
        busy(503),
        busy(502),
        busy(500),
        lambda right: replace(right, delay=1.5),
    ],
    ids=["503 in seconds", "429", "503 as a date", "503 without", "502", "500 in mid-list", "timeout"],
)
def test_a_repository_that_asks_for_patience_gets_it(house, serve, wrong) -> None:
    repository = serve(made(35))
    repository.fault = once(wrong)
    house.settle(repository.url, timeout="1s")
    house.harvest()
    same(house, repository)


def test_retry_after_is_kept_to(house, serve) -> None:
    repository = serve(made(15))
    at: list[datetime] = []

    def fault(request, answer):
        if request.token:
            at.append(datetime.now(UTC))
            return busy(503, Retry_After="1") if len(at) == 1 else None
        return None

    repository.fault = fault
    house.settle(repository.url)
    house.harvest()
    assert at[1] - at[0] >= timedelta(seconds=1)


def test_a_wait_that_is_too_long_ends_the_try_and_not_the_harvest(house, serve) -> None:
    repository = serve(made(35))
    repository.fault = once(busy(503, Retry_After="86400"))
    house.settle(repository.url)
    failed = house.harvest()
    assert (failed.state, failed.reason) == (State.FAILED, "OAI_BUSY")
    assert house.run(failed.id).state == State.ACKNOWLEDGED
    same(house, repository)


def test_pages_may_come_in_gzip(house, serve) -> None:
    repository = serve(made(35))
    repository.fault = lambda request, answer: Response(gzip.compress(answer().body), headers=XML | {"Content-Encoding": "gzip"})
    house.settle(repository.url)
    house.harvest()
    assert "gzip" in repository.requests[0].headers["Accept-Encoding"]
    same(house, repository)


@pytest.mark.parametrize("announced", [True, False], ids=["with a size to check by", "without"])
@pytest.mark.parametrize("ordered", [True, False], ids=["ascending", "in any order"])
def test_a_token_that_expires_is_made_up_for_by_a_new_list_and_nothing_is_missing(house, serve, announced: bool, ordered: bool) -> None:
    records = made(55)
    if not ordered:
        records[5:30] = reversed(records[5:30])
    repository = serve(records)
    repository.size = -1 if announced else None
    repository.fault = once(lambda right: Response(repository.error("badResumptionToken").encode()), on=lambda r: r.token and r.number > 4)
    house.settle(repository.url)
    done = house.harvest()
    assert (done.counts.added, done.facts["filtered"]["OAI_DUPLICATE"] > 0) == (55, True)
    again = [request.params.get("from") for request in repository.requests if request.verb == "ListRecords" and not request.token]
    assert (again[1] is not None) == (announced and ordered), "the short cut is taken only where it can be checked"
    same(house, repository)


def test_a_repository_that_refuses_all_its_tokens_is_walked_along_by_datestamps(house, serve) -> None:
    repository = serve(made(45))
    repository.fault = always(lambda right: Response(repository.error("badResumptionToken").encode()))
    house.settle(repository.url)
    house.harvest()
    same(house, repository)


def test_a_token_that_is_refused_for_ever_is_an_error(house, serve) -> None:
    repository = serve(made(55))
    repository.size = None
    repository.fault = always(lambda right: Response(repository.error("badResumptionToken").encode()))
    house.settle(repository.url)
    failed = house.harvest()
    assert (failed.state, failed.reason, house.records()) == (State.FAILED, "OAI_TOKEN_REFUSED", {})


def test_the_same_token_again_is_seen_within_two_pages(house, serve) -> None:
    repository = serve(made(55))
    first: list[Response] = []

    def fault(request, answer):
        if request.verb == "ListRecords":
            first[:] = first or [answer()]
            return first[0]
        return None

    repository.fault = fault
    house.settle(repository.url)
    failed = house.harvest()
    assert (failed.state, failed.reason) == (State.FAILED, "OAI_TOKEN_REPEATED")
    assert len([request for request in repository.requests if request.verb == "ListRecords"]) <= 4


def test_the_same_page_under_ever_new_tokens_is_seen_within_two_pages(house, serve) -> None:
    repository = serve(made(55))

    def fault(request, answer):
        if request.verb != "ListRecords":
            return None
        page = repository._document({"verb": "ListRecords", "metadataPrefix": "marcxml"})
        return Response(page.replace("</resumptionToken>", f"{request.number}</resumptionToken>").encode())

    repository.fault = fault
    house.settle(repository.url)
    failed = house.harvest()
    assert (failed.state, failed.reason) == (State.FAILED, "OAI_PAGE_REPEATED")


def test_a_token_is_never_asked_for_twice_once_its_page_has_come(house, serve) -> None:
    repository = serve(made(45))
    used: set[str] = set()

    def single_use(request, answer):
        if request.token in used:
            return Response(repository.error("badResumptionToken").encode())
        if request.token:
            used.add(request.token)
        return None

    repository.fault = single_use
    house.settle(repository.url)
    house.harvest()
    tokens = [request.token for request in repository.requests if request.token]
    assert len(tokens) == len(set(tokens)) == 4
    same(house, repository)


@pytest.mark.parametrize("end", ["error", "empty", "element"])
def test_a_token_on_the_last_full_page_leads_to_the_end_and_to_no_error(house, serve, end: str) -> None:
    repository = serve(made(30))

    def fault(request, answer):
        last = repository.token(30, request.params)
        if request.verb == "ListRecords" and request.token == "last":
            inside = {"empty": "<ListRecords></ListRecords>", "element": "<ListRecords><resumptionToken/></ListRecords>"}
            return Response(
                (repository.error("noRecordsMatch") if end == "error" else repository.document("ListRecords", inside[end])).encode()
            )
        found = answer()
        assert last
        return replace(found, body=found.body.replace(b"></resumptionToken>", b">last</resumptionToken>"))

    repository.fault = fault
    house.settle(repository.url)
    assert house.harvest().state == State.ACKNOWLEDGED
    same(house, repository)


def test_empty_pages_without_end_are_an_error(house, serve) -> None:
    repository = serve(made(30))

    def fault(request, answer):
        if request.token:
            return Response(
                repository.document(
                    "ListRecords", f"<ListRecords><resumptionToken>{request.number}</resumptionToken></ListRecords>"
                ).encode()
            )
        return None

    repository.fault = fault
    house.settle(repository.url)
    assert house.harvest().reason == "OAI_PAGE_REPEATED"


def test_records_that_come_on_two_pages_come_once_and_a_wrong_size_is_a_warning(house, serve) -> None:
    repository = serve(made(35))
    right = repository.selected
    repository.selected = lambda params: sorted([*right(params), *right(params)[5:15]], key=lambda one: one.datestamp)
    repository.size = 99
    house.settle(repository.url)
    done = house.harvest()
    assert (done.counts.in_, done.counts.filtered, done.counts.added) == (45, 10, 35)
    assert done.facts["warnings"] == {"OAI_LIST_SIZE": 1}
    same(house, repository)


@pytest.mark.parametrize("bulk", [False, True], ids=["spread over time", "all in one second"])
def test_a_record_that_the_server_fails_on_is_set_aside_by_name_and_the_rest_comes(house, serve, bulk: bool) -> None:
    repository = serve(made(700 if not bulk else 60, step=timedelta(0) if bulk else timedelta(hours=1)), page=50)
    poison = repository.records[33]

    def fault(request, answer):
        if request.verb in {"ListRecords", "GetRecord"} and poison.identifier in answer().text:
            return Response(b"Traceback: cannot serialise", 500, {})
        return None

    repository.fault = fault
    house.settle(repository.url, attempts=2)
    done = house.harvest()
    assert (done.state, done.counts.quarantined, done.counts.added) == (State.ACKNOWLEDGED, 1, len(repository.records) - 1)
    assert house.kept(done) == {"OAI_RECORD_UNSERVED": [b"Traceback: cannot serialise"]}
    assert poison.identifier in house.receipt(done)
    repository.records.remove(poison)
    same(house, repository)


def test_a_server_that_is_down_is_not_taken_for_one_that_fails_on_a_record(house, serve) -> None:
    repository = serve(made(35))
    state = {"down": False}

    def fault(request, answer):
        state["down"] |= bool(request.token)
        return Response(b"oops", 500, {}) if state["down"] else None

    repository.fault = fault
    house.settle(repository.url, attempts=2)
    failed = house.harvest()
    assert (failed.state, failed.reason) == (State.FAILED, "OAI_SERVER_ERROR")
    assert len(repository.requests) < 12


def damaged(repository, number: int, change) -> None:
    """The bytes of one record are changed wherever it is shown."""
    plain = repository.record(repository.records[number]).encode()
    repository.fault = lambda request, answer: replace(answer(), body=answer().body.replace(plain, change(plain)))


def test_a_character_that_xml_forbids_is_removed_and_said(house, serve) -> None:
    repository = serve(made(35))
    damaged(repository, 12, lambda raw: raw.replace("ön".encode(), "ö\x1bn&#x1f;".encode()))
    house.settle(repository.url)
    done = house.harvest()
    assert done.facts["warnings"] == {"OAI_CHARACTER_REMOVED": 1, "OAI_PAGE_REPAIRED": 1}
    same(house, repository)


def test_a_record_that_is_no_xml_is_set_aside_with_its_bytes_and_its_neighbours_come(house, serve) -> None:
    repository = serve(made(35))
    damaged(repository, 12, lambda raw: raw.replace(b"</subfield>", b"", 1))
    house.settle(repository.url)
    done = house.harvest()
    wrong = repository.records.pop(12)
    assert (done.counts.quarantined, done.counts.added) == (1, 34)
    [kept] = house.kept(done)["OAI_RECORD_NOT_XML"]
    assert wrong.identifier.encode() in kept and kept.startswith(b"<record>") and kept.endswith(b"</record>")
    same(house, repository)


def test_something_before_or_behind_the_document_is_left_out_and_said(house, serve) -> None:
    repository = serve(made(15))
    repository.fault = lambda request, answer: replace(
        answer(), body=b"\n<br />Notice: undefined index\n" + answer().body + b"<!-- cached --><p>Warning</p>"
    )
    house.settle(repository.url)
    done = house.harvest()
    assert done.facts["warnings"] == {"OAI_GARBAGE_AROUND": 2}
    same(house, repository)


@pytest.mark.parametrize(
    ("declared", "really", "warning"),
    [
        ("ISO-8859-1", "iso-8859-1", {"OAI_ENCODING_DECLARED": 2}),
        ("UTF-16", "utf-16", {"OAI_ENCODING_DECLARED": 2}),
        ("ISO-8859-1", "utf-8", {"OAI_ENCODING_WRONG": 2}),
        ("UTF-8", "iso-8859-1", {"OAI_PAGE_REPAIRED": 2, "OAI_ENCODING_WRONG": 15}),
    ],
    ids=["Latin-1 as declared", "UTF-16 as declared", "UTF-8 declared as Latin-1", "Latin-1 declared as UTF-8"],
)
def test_the_character_set_is_told_by_the_bytes(house, serve, declared: str, really: str, warning: dict[str, int]) -> None:
    repository = serve(made(15))
    repository.fault = lambda request, answer: replace(
        answer(), body=answer().text.replace('encoding="UTF-8"', f'encoding="{declared}"').encode(really)
    )
    house.settle(repository.url)
    done = house.harvest()
    assert done.facts["warnings"] == warning
    same(house, repository)


def test_one_record_that_is_no_utf8_among_others_that_are_is_set_aside(house, serve) -> None:
    repository = serve(made(15))
    damaged(repository, 3, lambda raw: raw.decode().encode("iso-8859-1"))
    house.settle(repository.url)
    done = house.harvest()
    repository.records.pop(3)
    assert list(house.kept(done)) == ["OAI_RECORD_NOT_UTF8"]
    same(house, repository)


def test_the_place_of_a_record_is_right_whatever_its_page_is_written_in(house, serve) -> None:
    repository = serve(made(100), page=100)
    repository.records[42].body = ""
    repository.records[42].body = "  "
    repository.fault = lambda request, answer: replace(
        answer(), body=answer().text.replace('encoding="UTF-8"', 'encoding="UTF-16"').encode("utf-16")
    )
    house.settle(repository.url)
    done = house.harvest()
    [raw] = house.kept(done)["OAI_RECORD_EMPTY"]
    assert raw.decode("utf-16-le") == repository.record(repository.records[42])


@pytest.mark.parametrize(
    ("quirk", "refuses"),
    [
        ("prefix_with_token", lambda request: request.token and "metadataPrefix" not in request.params),
        ("post", lambda request: "Content-Length" not in request.headers),
        ("no_until", lambda request: "until" in request.params),
        ("raw_token", lambda request: request.token and "%25" in request.query),
    ],
)
def test_what_a_repository_wants_otherwise_is_a_setting(house, serve, quirk: str, refuses) -> None:
    repository = serve(made(25))
    repository.token = lambda cursor, params: f"c%25{cursor}"
    listed = repository._list
    repository._list = lambda verb, params: listed(
        verb,
        {"verb": verb, "metadataPrefix": "marcxml", "resumptionToken": token_of(params["resumptionToken"])}
        if "resumptionToken" in params
        else params,
    )

    def token_of(text: str) -> str:
        import base64
        import json

        cursor = int(text.replace("%25", "").replace("%", "").removeprefix("c"))
        return "t&=+ %/" + base64.b64encode(json.dumps({"cursor": cursor, "metadataPrefix": "marcxml"}).encode()).decode()

    repository.fault = always(lambda right: Response(repository.error("badArgument").encode()), on=refuses)
    house.settle(repository.url, f"quirks: {{{quirk}: true}}")
    house.harvest()
    same(house, repository)


def test_without_the_setting_a_refusal_is_said_in_the_repositorys_words(house, serve) -> None:
    repository = serve(made(25))
    repository.fault = always(
        lambda right: Response(repository.error("badArgument", "until is not known here").encode()), on=lambda r: "until" in r.params
    )
    house.settle(repository.url)
    done = house.harvest()
    assert (done.state, done.reason) == (State.BLOCKED, "OAI_ERROR")
    assert "until is not known here" in house.receipt(done)


def test_a_record_that_was_back_dated_into_a_covered_window_comes_with_the_overlap(house, serve) -> None:
    repository = serve(made(5))
    house.settle(repository.url, overlap="2 h")
    house.harvest()
    repository.put(Kept("oai:test.example:late", datetime.now(UTC) - timedelta(hours=1), marc("late")))
    house.harvest()
    same(house, repository)


def test_a_repository_whose_clock_is_wrong_is_asked_by_its_own_clock(house, serve) -> None:
    repository = serve(made(5))
    repository.now = lambda: datetime.now(UTC) - timedelta(days=400)
    repository.records = [replace(one, datestamp=one.datestamp - timedelta(days=900)) for one in repository.records]
    house.settle(repository.url)
    house.harvest()
    repository.put(Kept("oai:test.example:new", repository.now(), marc("new")))
    house.harvest()
    same(house, repository)


def test_comments_and_cdata_hide_no_record(house, serve) -> None:
    body = marc("1").replace("Huset ved havet", "<![CDATA[<record><header>]]>")
    repository = serve([Kept("oai:test.example:1", DAY, body), Kept("oai:test.example:2", DAY, f"<!-- </record> -->{marc('2')}")])
    house.settle(repository.url)
    house.harvest()
    ours = house.records()
    assert ours["oai:test.example:1"]["xml"] == body
    assert set(house.titles()) == {"1", "2"}
