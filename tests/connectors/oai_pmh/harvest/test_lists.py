"""Tokens that expire, repeat or lead nowhere: a list is whole in the end, or an error."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.engine.delivery import State
from tests.connectors.oai_pmh.harvest.conftest import same
from tests.connectors.oai_pmh.harvest.faults import always, once
from tests.connectors.oai_pmh.harvest.repository import Response, made


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
    assert (failed.state, failed.reason, house.records()) == (State.FAILED, "OAI_TOKEN_REPEATED", {})
    assert len([request for request in repository.requests if request.verb == "ListRecords"]) <= 4
    _mended(house, repository)


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
    assert (failed.state, failed.reason, house.records()) == (State.FAILED, "OAI_PAGE_REPEATED", {})
    _mended(house, repository)


def _mended(house, repository) -> None:
    """Whoever runs the repository mends it: the next harvest brings all of it."""
    repository.fault = lambda request, answer: None
    assert house.harvest().state == State.ACKNOWLEDGED
    same(house, repository)


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
    assert (house.harvest().reason, house.records()) == ("OAI_PAGE_REPEATED", {})
    _mended(house, repository)


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
