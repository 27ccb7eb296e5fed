"""Limits, logins and small calls that go wrong between us and Salesforce, and tries that died in the middle."""

from __future__ import annotations

import pytest

from connectors.crm import outbound
from include.engine.delivery import State
from include.engine.errors import Unreachable
from include.engine.ledger import parts
from include.engine.outbound.send import send
from include.sandbox.servers.salesforce.org import PERSON
from tests.connectors.crm.test_salesforce_faults import register

ANA = {"email": "ana@lindeby.example"}


def test_a_limit_that_is_used_up_stops_before_the_next_call_and_goes_on_later_where_it_was(library, org) -> None:
    register(library)
    delivery = library.begun()
    org.state.faults.set("limit_exceeded")
    stopped = library.run(delivery.id)
    assert (stopped.state, stopped.reason) == (State.FAILED, "CRM_LIMIT")
    assert org.state.org.all("Contact") == []
    assert library.run(delivery.id).state == State.ACKNOWLEDGED
    assert len(org.state.org.all("Contact")) == 12


def test_a_share_of_the_day_s_calls_is_left_to_others(library, org) -> None:
    library.has(**{f"p{number}": ANA for number in range(450)})
    org.state.daily, org.state.used = 100, 89
    delivery = library.begun()
    assert library.run(delivery.id).reason == "CRM_LIMIT"
    assert org.state.used == 91
    org.state.daily = 1000
    assert library.run(delivery.id).state == State.ACKNOWLEDGED
    assert len(org.state.org.all("Contact")) == 450


def test_a_login_that_is_refused_blocks_with_the_reason_and_not_the_secret(library, org) -> None:
    library.has(p1=ANA)
    org.state.faults.set("login_refused")
    blocked = library.sync()
    assert (blocked.state, blocked.reason) == (State.BLOCKED, "CRM_LOGIN_REFUSED")
    assert "invalid_grant" in library.receipt(blocked)
    assert library.figures(library.run(blocked.id)) == {"created": 1}, "its run was cleared once the login was mended"


def test_a_collection_whose_answer_is_lost_is_sent_again_and_changes_nothing_twice(library, org) -> None:
    library.has(**{f"p{number}": ANA for number in range(5)})
    org.state.faults.set("collection_500")
    assert library.figures(library.sync()) == {"updated": 5}
    assert len(org.state.org.all("Contact")) == 5


def test_locked_rows_of_a_collection_are_tried_again(library, org) -> None:
    library.has(**{f"p{number}": ANA for number in range(5)})
    org.state.faults.set("lock_rows")
    assert library.figures(library.sync()) == {"created": 5}


def test_a_try_that_died_with_its_job_s_number_unwritten_finds_the_job_again(library, org, monkeypatch) -> None:
    register(library)
    delivery = library.begun()
    _until_send(library, delivery.id)
    monkeypatch.setattr("include.engine.ledger.parts.note", _dies)
    with pytest.raises(_Dead):
        send(library.engine, delivery.id, outbound)
    monkeypatch.undo()
    send(library.engine, delivery.id, outbound)
    assert [job.state for job in org.state.ingest.jobs.values()] == ["JobComplete"]
    assert len(org.state.org.all("Contact")) == 12


def test_a_job_that_goes_on_while_nobody_asks_is_read_back_by_the_next_try(library, org) -> None:
    register(library)
    delivery = library.begun()
    _until_send(library, delivery.id)
    org.state.faults.set("result_500", 4)
    with pytest.raises(Unreachable):
        send(library.engine, delivery.id, outbound)
    assert [one.facts["jobs"][0]["id"] for one in parts.of(library.engine.ledger, delivery.id)] == list(org.state.ingest.jobs)
    send(library.engine, delivery.id, outbound)
    assert len(org.state.ingest.jobs) == 1
    assert library.figures(library.get(delivery.id)) == {"created": 12}


def test_a_job_that_may_not_be_looked_at_for_a_while_is_not_made_a_second_time(library, org) -> None:
    register(library)
    delivery = library.begun()
    org.state.faults.set("job_hidden")
    assert library.run(delivery.id).state == State.BLOCKED
    assert library.figures(library.run(delivery.id)) == {"created": 12}
    assert len(org.state.ingest.jobs) == 1


class _Dead(BaseException):
    """The process is gone."""


def _dies(*_given: object, **_named: object) -> None:
    raise _Dead


def _until_send(library, delivery_id: str) -> None:
    from include.engine.outbound.render import render
    from include.engine.outbound.select import select

    select(library.engine, delivery_id, outbound)
    render(library.engine, delivery_id, outbound)


@pytest.mark.parametrize("hidden", [0, 9])
def test_an_open_job_of_another_user_is_neither_taken_nor_aborted(library, org, hidden) -> None:
    register(library)
    org.state.faults.set("user_hidden", hidden)
    same = {"object": "Contact", "operation": "upsert", "externalIdFieldName": "Bindery_Id__c"}
    theirs = [org.state.ingest.create(same, by=PERSON) for _ in range(2)]
    delivery = library.begun()
    _until_send(library, delivery.id)
    org.state.faults.set("limit_exceeded")
    with pytest.raises(Unreachable):  # the next try looks for a job that this one may have made
        send(library.engine, delivery.id, outbound)
    send(library.engine, delivery.id, outbound)
    assert library.figures(library.get(delivery.id)) == {"created": 12}
    assert [(job.state, job.body) for job in theirs] == [("Open", b"")] * 2
