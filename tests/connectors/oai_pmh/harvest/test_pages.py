"""Pages that are none: asked for again, or an error where the run stands; nothing after them is claimed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.engine.delivery import State
from include.engine.ledger import windows
from tests.connectors.oai_pmh.harvest.conftest import same
from tests.connectors.oai_pmh.harvest.faults import BAD_PAGES, always, once, request_params
from tests.connectors.oai_pmh.harvest.repository import made

WHATEVER_IT_IS = {"OAI_PAGE_TRUNCATED", "OAI_PAGE_EMPTY", "OAI_PAGE_HTML", "OAI_PAGE_OTHER", "OAI_PAGE_DTD"}
"""Of the bad pages those that do not lean on what a list looks like."""


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


FIRST = [(name, verb) for name in BAD_PAGES for verb in ("Identify", "ListRecords") if verb == "ListRecords" or name in WHATEVER_IT_IS]


@pytest.mark.parametrize(("name", "verb"), FIRST)
def test_no_first_page_that_is_none_is_an_empty_harvest(house, serve, name: str, verb: str) -> None:
    repository, wrong, code = serve(made(15)), BAD_PAGES[name], name.partition(" ")[0]
    repository.fault = always(wrong, on=lambda request: request.verb == verb)
    house.settle(repository.url)
    failed = house.harvest()
    assert (failed.state, failed.reason, house.records()) == (State.FAILED, code, {})
    repository.fault = lambda request, answer: None
    house.run(failed.id)
    same(house, repository)


def test_a_connection_that_breaks_inside_a_page_is_asked_for_again(house, serve) -> None:
    repository = serve(made(35))
    repository.fault = once(lambda right: replace(right, cut=700), lambda right: replace(right, cut=0))
    house.settle(repository.url)
    house.harvest()
    same(house, repository)
