"""What a repository wants otherwise, and clocks that are wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from connectors.oai_pmh.harvest import ask
from connectors.oai_pmh.settings import OaiHarvest
from include.engine.delivery import State
from include.engine.ledger import windows
from tests.connectors.oai_pmh.harvest.conftest import same
from tests.connectors.oai_pmh.harvest.faults import always
from tests.connectors.oai_pmh.harvest.repository import DAY, Kept, Response, made, marc


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


def test_a_repository_that_refuses_a_prefix_beside_a_token_is_not_given_one(house, serve) -> None:
    repository = serve(made(25))
    repository.fault = always(
        lambda right: Response(repository.error("badArgument").encode()), on=lambda r: r.token and "metadataPrefix" in r.params
    )
    house.settle(repository.url)
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


@pytest.mark.parametrize("granularity", ["second", "day"])
def test_both_ends_of_a_window_belong_to_it(house, serve, granularity: str) -> None:
    """A record of the very second (day) at which a window ended, that came into the repository when it had been asked already."""
    repository = serve(made(5), granularity=granularity)
    house.settle(repository.url, overlap="0 s")
    [window] = windows.of_delivery(house.engine.ledger, house.harvest().id)
    repository.put(Kept("oai:test.example:same", window.until_at, marc("same")))
    done = house.harvest()
    [window] = windows.of_delivery(house.engine.ledger, done.id)
    first = next(request for request in repository.requests[::-1] if request.verb == "ListRecords")
    assert (first.params["from"], first.params["until"]) == tuple(map(repository.stamp, (window.from_at, window.until_at)))
    assert done.counts.added == 1
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


def test_a_clock_that_was_ahead_once_hides_nothing_that_comes_afterwards(house, serve) -> None:
    repository = serve(made(5))
    house.settle(repository.url)
    house.harvest()
    right, repository.now = repository.now, lambda: datetime.now(UTC) + timedelta(days=400)
    house.harvest()
    repository.now = right
    repository.put(Kept("oai:test.example:after", datetime.now(UTC) - timedelta(minutes=10), marc("after")))
    house.harvest()
    same(house, repository)


@pytest.mark.parametrize("later", [timedelta(0), timedelta(days=31)], ids=["before its end", "after its end"])
def test_a_window_of_a_persons_that_reached_into_the_future_covers_nothing_that_comes_afterwards(house, serve, later: timedelta) -> None:
    repository = serve(made(5))
    house.settle(repository.url)
    house.harvest()
    asked = ask.reload(house.engine, "almvik", begin=DAY, until=datetime.now(UTC) + timedelta(days=30), who="kirsten")
    house.claimed()
    assert house.run(asked.id).state == State.ACKNOWLEDGED
    repository.put(Kept("oai:test.example:after", datetime.now(UTC) - timedelta(minutes=10), marc("after")))
    repository.now = lambda: datetime.now(UTC) + later
    house.harvest()
    same(house, repository)


def test_without_until_a_record_that_cannot_be_served_is_found_among_its_neighbours_and_not_second_by_second(house, serve) -> None:
    repository = serve(made(40, step=timedelta(hours=1)), page=10)
    poison = repository.records[33]

    def fault(request, answer):
        if len(repository.requests) > 150:
            return Response(b"enough", 404)
        if request.verb in {"ListRecords", "GetRecord"} and poison.identifier in answer().text:
            return Response(b"oops", 500)
        return Response(repository.error("badArgument").encode()) if "until" in request.params else None

    repository.fault = fault
    house.settle(repository.url, "quirks: {no_until: true}", attempts=2)
    done = house.harvest()
    assert (done.state, done.counts.quarantined) == (State.ACKNOWLEDGED, 1)
    repository.records.remove(poison)
    same(house, repository)


def test_a_day_that_is_none_is_no_since() -> None:
    with pytest.raises(ValidationError, match="since"):
        OaiHarvest.model_validate({"schedule": "hourly", "url": "https://x.example/oai", "prefix": "marcxml", "since": "2026-02-30"})
