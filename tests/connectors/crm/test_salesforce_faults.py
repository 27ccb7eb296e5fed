"""What goes wrong between us and Salesforce, over real sockets: nothing is lost, nothing is sent in a second job, every row is accounted for."""

from __future__ import annotations

import json

import pytest

from connectors.crm import outbound
from include.engine.delivery import State
from include.engine.errors import Unreachable
from include.engine.ledger import parts
from include.engine.outbound.send import send
from include.sandbox.servers.salesforce.ingest import FINAL
from tests.connectors.crm.conftest import SALESFORCE

ANA = {"email": "ana@lindeby.example"}
JOBS = (
    "job_created_500",
    "upload_500",
    "upload_lost",
    "close_500",
    "result_500",
    "no_charset",
    "session_expires",
    "session_expires_in_job",
    "unavailable",
)
ENDED_EARLY = ("job_failed", "job_aborted", "lock_rows")


def register(library, count: int = 12) -> None:
    library.settle("    bulk_from: 1\n")
    library.has(**{f"p{number}": {**ANA, "last_name": f"Øst {number}"} for number in range(count)})


@pytest.mark.parametrize("fault", JOBS)
def test_one_job_brings_every_row_once_whatever_call_goes_wrong(library, org, fault) -> None:
    register(library)
    org.state.faults.set(fault)
    org.state.page_rows = 5
    done = library.sync()
    assert (done.state, library.figures(done)) == (State.ACKNOWLEDGED, {"created": 12})
    assert org.state.faults.taken[fault] == 1
    ended = [job.state for job in org.state.ingest.jobs.values()]
    assert ended.count("JobComplete") == 1
    assert set(ended) <= FINAL
    assert {one["LastName"] for one in org.state.org.all("Contact")} == {f"Øst {number}" for number in range(12)}


@pytest.mark.parametrize("fault", ENDED_EARLY)
def test_rows_that_a_job_left_undone_go_in_another_and_those_that_were_done_do_not(library, org, fault) -> None:
    register(library)
    org.state.faults.set(fault)
    done = library.sync()
    assert library.figures(done) == {"created": 12}
    first, second = org.state.ingest.jobs.values()
    assert len(first.done) + len(second.done) == 12
    assert {row["Bindery_Id__c"] for row in first.done}.isdisjoint(row["Bindery_Id__c"] for row in second.done)


def test_rows_that_stay_locked_are_set_aside_and_due_again_at_the_next_sync(library, org) -> None:
    register(library)
    org.state.faults.set("lock_rows", 4)
    done = library.sync()
    # The row that is locked four times is the first of each job; the others went through in a later round.
    assert library.figures(done) == {"created": 11, "refused": 1}
    assert "CRM_ROW_LOCKED" in library.receipt(done)
    assert library.figures(library.sync()) == {"created": 1}


def test_an_error_of_every_kind_is_told_with_the_crm_s_own_message_and_no_value_of_the_row(library, org) -> None:
    library.settle(system=SALESFORCE.replace('"*": Andet', '"*": Ukendt'), more="    bulk_from: 1\n")
    library.has(
        p1={**ANA, "last_name": "L" * 81}, p2={**ANA, "first_name": None, "last_name": None}, p3={"email": "secret.person@x"}, p4={"category": "odd"}, p5=ANA
    )  # fmt: skip
    done = library.sync()
    assert library.figures(done) == {"created": 1, "refused": 4}
    receipt = library.receipt(done)
    for code in ("CRM_VALUE_TOO_LONG", "CRM_FIELD_MISSING", "CRM_VALUE_INVALID"):
        assert code in receipt
    assert "max length=80" in receipt
    assert "secret.person" not in receipt
    assert "LLLL" not in receipt
    kept = [json.loads(raw) for found in library.kept(done).values() for raw in found]
    assert any("secret.person@x" in one["message"] and one["sent"]["Email"] == "secret.person@x" for one in kept)


def test_an_external_id_that_two_records_there_have_is_refused_by_its_row(library, org) -> None:
    library.has(p1=ANA, p2=ANA)
    for name in ("Twin", "Other twin"):
        org.state.org.insert("Contact", {"LastName": name, "Bindery_Id__c": library.external("p1")})
    assert library.figures(library.sync()) == {"created": 1, "refused": 1}


def test_a_field_that_the_crm_does_not_know_blocks_the_delivery_and_a_mended_mapping_takes_it_on(library, org) -> None:
    register(library)
    library.settle("    bulk_from: 1\n", system=SALESFORCE.replace("Phone: phone", "Fax_Machine__c: phone", 1))
    blocked = library.sync()
    assert (blocked.state, blocked.reason) == (State.BLOCKED, "CRM_JOB_REFUSED")
    assert "Fax_Machine__c" in library.receipt(blocked)
    assert org.state.org.all("Contact") == []


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


class _Dead(BaseException):
    """The process is gone."""


def _dies(*_given: object, **_named: object) -> None:
    raise _Dead


def _until_send(library, delivery_id: str) -> None:
    from include.engine.outbound.render import render
    from include.engine.outbound.select import select

    select(library.engine, delivery_id, outbound)
    render(library.engine, delivery_id, outbound)
