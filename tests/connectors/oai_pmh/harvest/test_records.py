"""Records that cannot be served or read: each costs itself alone, with its bytes and a reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from include.engine.delivery import State
from tests.connectors.oai_pmh.harvest.conftest import same
from tests.connectors.oai_pmh.harvest.faults import damaged
from tests.connectors.oai_pmh.harvest.repository import DAY, Kept, Response, made, marc


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


@pytest.mark.parametrize("status", [500, 503, 429])
def test_records_asked_for_one_by_one_are_not_set_aside_because_the_server_is_down_or_busy(house, serve, status: int) -> None:
    repository = serve(made(30))
    house.settle(repository.url, attempts=2)
    house.harvest()
    for number in range(5):
        repository.put(Kept(f"oai:test.example:old{number}", DAY - timedelta(days=300), marc(f"old{number}")))
    state = {"down": False}

    def fault(request, answer):
        state["down"] |= request.verb == "GetRecord"
        return Response(b"oops", status, {}) if state["down"] else None

    repository.fault = fault
    failed = house.harvest(moment="compare")
    assert (failed.state, failed.counts.quarantined) == (State.FAILED, 0)
    repository.fault = lambda request, answer: None
    done = house.run(failed.id)
    assert (done.state, done.counts.quarantined, done.counts.added) == (State.ACKNOWLEDGED, 0, 5)
    same(house, repository)


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


def test_comments_and_cdata_hide_no_record(house, serve) -> None:
    body = marc("1").replace("Huset ved havet", "<![CDATA[<record><header>]]>")
    repository = serve([Kept("oai:test.example:1", DAY, body), Kept("oai:test.example:2", DAY, f"<!-- </record> -->{marc('2')}")])
    house.settle(repository.url)
    house.harvest()
    ours = house.records()
    assert ours["oai:test.example:1"]["xml"] == body
    assert set(house.titles()) == {"1", "2"}
