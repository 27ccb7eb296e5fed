"""What goes wrong between us and Salesforce, over real sockets: nothing is lost, nothing is sent in a second job, every row is accounted for."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from connectors.crm import outbound
from connectors.crm.systems import system_of
from include.engine.delivery import State
from include.engine.ledger.parts import Part
from include.engine.replay import answer
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
    assert library.sync().counts.in_ == 0


def test_rows_that_were_locked_are_not_forgotten_while_syncs_come_to_nothing(library, org) -> None:
    register(library)
    org.state.faults.set("lock_rows", 4)
    assert library.figures(library.sync()) == {"created": 11, "refused": 1}
    library.settle("    brake: {changed: 1%, from: 1}\n")
    there = {one["Bindery_Id__c"] for one in org.state.org.all("Contact")}
    some = [one for one in library.register if library.external(one) in there][:3]
    library.has(**{one: {"email": "new@lindeby.example"} for one in some})
    assert [library.sync().state for _ in range(11)] == [State.HELD] * 11
    library.settle()
    assert library.figures(library.sync()) == {"created": 1, "updated": 3}


def test_no_file_of_a_bulk_job_is_larger_than_salesforce_takes(library, org, monkeypatch) -> None:
    monkeypatch.setattr(outbound, "PART_BYTES", 1500)
    monkeypatch.setattr(outbound, "PIECE_ROWS", 2, raising=False)
    register(library)
    assert library.figures(library.sync()) == {"created": 12}
    assert max(len(job.body) for job in org.state.ingest.jobs.values()) <= 1500


def test_a_text_that_would_fail_the_job_for_all_stays_out_until_it_is_mended(library, org) -> None:
    register(library)
    library.has(p3={"last_name": "Ø" * 140_000})
    done = library.sync()
    assert (done.state, library.figures(done), done.facts["filtered"]) == (State.ACKNOWLEDGED, {"created": 11}, {"CRM_TEXT_TOO_LONG": 1})
    assert "32,000" in library.receipt(done)
    assert library.sync().counts.in_ == 0
    library.has(p3={"last_name": "Ø" * 80})
    assert library.figures(library.sync()) == {"created": 1}


@pytest.mark.parametrize("bulk_from", [1, 2000])
def test_a_value_that_becomes_empty_is_empty_there_whichever_way_it_goes(library, org, bulk_from) -> None:
    library.settle(f"    bulk_from: {bulk_from}\n", system=SALESFORCE.replace("child: Barn", 'child: ""'))
    library.has(p1=ANA)
    library.sync()
    library.has(p1={"category": "child"})
    library.sync()
    assert org.state.org.one("Contact", library.external("p1"))["Patron_Category__c"] is None


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


def test_a_field_that_the_crm_does_not_know_blocks_the_delivery_and_after_a_no_a_mended_mapping_takes_all_along(library, org) -> None:
    register(library)
    library.settle("    bulk_from: 1\n", system=SALESFORCE.replace("Phone: phone", "Fax_Machine__c: phone", 1))
    blocked = library.sync()
    assert (blocked.state, blocked.reason) == (State.BLOCKED, "CRM_JOB_REFUSED")
    assert "Fax_Machine__c" in library.receipt(blocked)
    assert "answer no" in library.receipt(blocked)
    assert org.state.org.all("Contact") == []
    answer(library.engine, blocked.id, yes=False, who="kirsten")
    register(library)
    assert library.figures(library.sync()) == {"created": 12}


def test_an_external_id_twice_in_one_delivery_goes_once_and_the_second_is_set_aside(library, org) -> None:
    """The lake's keys make it impossible; the contract does not rely on that."""

    def twice(work):
        for found in outbound.select(work):
            yield found
            yield replace(found, left=None, unchanged=0)

    same = {name: getattr(outbound, name) for name in ("reads", "contract", "render", "send", "confirm")}
    library.has(**{f"p{number}": {**ANA, "last_name": f"Øst {number}"} for number in range(6)})
    library.with_connector(SimpleNamespace(**same, select=twice))
    done = library.sync()
    assert (done.counts.in_, done.counts.published, done.counts.quarantined) == (12, 6, 6)
    assert {one["LastName"] for one in org.state.org.all("Contact")} == {f"Øst {number}" for number in range(6)}


def test_and_if_it_got_as_far_the_job_refuses_it_by_its_row_and_the_others_go(library, org) -> None:
    system = system_of(library.engine.partner("lindeby").flows["crm_sync"], library.engine.credentials.get("lindeby_crm"))
    body = b"Bindery_Id__c,LastName\na,Lund\nb,Holm\na,Skov\n"
    tally = system.bulk(Part("d", 0, "p", True, "", 0, "", 3), "Contact", "Bindery_Id__c", body, lambda jobs: None)
    assert {key: refusal.reason for key, refusal in tally.refused.items()} == {"a": "CRM_DUPLICATE"}
    assert sum(one["Bindery_Id__c"] == "b" for one in org.state.org.all("Contact")) == 1
