"""A repository that asks for patience gets it, and no more than was agreed."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from include.engine.delivery import State
from tests.connectors.oai_pmh.harvest.conftest import same
from tests.connectors.oai_pmh.harvest.faults import XML, busy, once
from tests.connectors.oai_pmh.harvest.repository import Response, made


@pytest.mark.parametrize(
    "wrong",
    [
        busy(503, Retry_After="1"),
        busy(429, Retry_After="1"),
        busy(503, Retry_After=format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)),
        busy(503, Retry_After="Mon, 01 Jan 99999999999999999999 00:00:00 GMT"),
        busy(503),
        busy(502),
        busy(500),
        lambda right: replace(right, delay=1.5),
    ],
    ids=["503 in seconds", "429", "503 as a date", "503 with a date that is none", "503 without", "502", "500 in mid-list", "timeout"],
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
