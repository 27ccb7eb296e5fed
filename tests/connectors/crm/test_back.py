"""What people change in the CRM comes back as proposals, with a verdict, and goes on to the library system as a file."""

from __future__ import annotations

import csv
from datetime import date, timedelta

import pytest

from connectors.crm import ils_update, outbound, proposals
from include.engine.delivery import Delivery, State
from include.engine.dispatch.start import start
from include.engine.erasure import ask, erase
from include.engine.inbound.acknowledge import acknowledge
from include.engine.inbound.gate import gate
from include.engine.inbound.publish import publish
from include.engine.inbound.receive import receive
from include.engine.ledger import windows
from tests.connectors.crm.conftest import DYNAMICS, Library

ANA = {"email": "ana@lindeby.example", "phone": "+45 00123456"}
BACK = """\
  crm_proposals:
    schedule: "0 3 29 2 *"
    overlap: 1h
    fields:
      email: {wins: crm}
      phone: {wins: ask}
      consent: {field: HasOptedOutOfEmail, values: {"true": false, "false": true}, wins: ils}
  crm_ils_update:
    schedule: "0 3 29 2 *"
    outbox: file:to_ils
    columns: {Lånernr: patron_id, Email: email, Telefon: phone, Samtykke: consent}
"""


@pytest.fixture
def talking(library: Library) -> Library:
    """A library whose CRM talks back, and has two patrons."""
    library.settle(BACK)
    library.has(p1=ANA, p2=ANA)
    library.sync()
    return library


def listened(library: Library) -> Delivery:
    """What was changed there, all the way into the lake."""
    made = start(library.engine, library.partner, "crm_proposals", who="kirsten")
    assert [one.id for one in library.claimed()] == [made.id]
    for step in (receive, gate, publish, acknowledge):
        step(library.engine, made.id, proposals)
    return library.get(made.id)


def found(library: Library) -> dict[tuple[str, str], tuple[str | None, str, str]]:
    names = {row["patron"]: row["patron_id"] for row in library.rows("patron_identity", "patron")}
    rows = library.rows("crm_proposal", "patron")
    return {(names[row["patron"]], row["field"]): (row["theirs"], row["verdict"], row["rule"]) for row in rows}


def test_our_own_sync_is_no_proposal(talking) -> None:
    done = listened(talking)
    assert (done.state, done.counts.in_, found(talking)) == (State.ACKNOWLEDGED, 0, {})


def test_a_change_there_is_a_proposal_with_the_verdict_of_its_field_s_rule(talking, org) -> None:
    org.state.org.edit("Contact", talking.external("p1"), Email="new@lindeby.example", Phone="+45 00999999")
    done = listened(talking)
    assert done.counts.published == 2
    assert found(talking) == {
        ("p1", "email"): ("new@lindeby.example", "apply", "crm wins"),
        ("p1", "phone"): ("+45 00999999", "ask", "a person decides"),
    }


def test_consent_that_was_withdrawn_there_counts_whatever_the_rule_says(talking, org) -> None:
    org.state.org.edit("Contact", talking.external("p1"), HasOptedOutOfEmail=True)
    listened(talking)
    assert found(talking) == {("p1", "consent"): ("false", "apply", "withdrawal")}


def test_consent_that_was_withdrawn_there_counts_also_where_our_sync_wrote_into_the_record_since(talking, org) -> None:
    org.state.org.edit("Contact", talking.external("p1"), HasOptedOutOfEmail=True, Email="new@lindeby.example")
    talking.has(p1={"phone": "+45 00999999"})
    talking.sync()
    listened(talking)
    assert found(talking) == {("p1", "consent"): ("false", "apply", "withdrawal")}


def test_where_the_register_has_changed_too_a_person_decides(talking, org) -> None:
    org.state.org.edit("Contact", talking.external("p1"), Email="new@lindeby.example")
    talking.has(p1={"email": "other@lindeby.example"})
    listened(talking)
    assert found(talking)["p1", "email"] == ("new@lindeby.example", "ask", "changed on both sides")


def test_a_guardian_s_address_that_was_changed_in_the_child_s_record_is_for_a_person(talking, org) -> None:
    talking.settle("    minors: through_guardian\n" + BACK)
    talking.has(c1={"birth_date": date(2020, 1, 1), "guardian_id": "p1", "consent": None})
    talking.sync()
    org.state.org.edit("Contact", talking.external("c1"), Email="new@lindeby.example")
    listened(talking)
    assert found(talking) == {("c1", "email"): ("new@lindeby.example", "ask", "a guardian's, in a child's record")}


def test_an_address_that_was_emptied_there_is_for_a_person_for_the_file_cannot_say_it(talking, org) -> None:
    org.state.org.edit("Contact", talking.external("p1"), Email=None)
    listened(talking)
    assert found(talking) == {("p1", "email"): (None, "ask", "emptied there")}


def test_the_next_look_reaches_back_into_the_last_one_and_proposes_nothing_twice(talking, org) -> None:
    org.state.org.edit("Contact", talking.external("p1"), Email="new@lindeby.example")
    for _ in range(2):
        listened(talking)
    first, second = windows.find(talking.engine.ledger, "lindeby", "crm_proposals")
    assert (first.from_at, second.from_at) == (None, first.until_at - timedelta(hours=1))
    assert found(talking) == {("p1", "email"): ("new@lindeby.example", "apply", "crm wins")}


def test_a_file_for_the_library_system_holds_what_is_to_be_applied_once(talking, org) -> None:
    org.state.org.edit("Contact", talking.external("p1"), Email="new@lindeby.example", Phone="+45 00999999")
    org.state.org.edit("Contact", talking.external("p2"), HasOptedOutOfEmail=True)
    listened(talking)
    (talking.engine.home / "to_ils").mkdir()
    done = talking.with_connector(ils_update).sync("crm_ils_update")
    assert (done.state, done.message) == (State.ACKNOWLEDGED, None)
    [file] = (talking.engine.home / "to_ils").glob("*.csv")
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter=";"))
    assert rows == [
        {"Lånernr": "p1", "Email": "new@lindeby.example", "Telefon": "", "Samtykke": ""},
        {"Lånernr": "p2", "Email": "", "Telefon": "", "Samtykke": "false"},
    ]
    assert talking.sync("crm_ils_update").counts.in_ == 0
    # The library system applies it, and the next export says so: the CRM has it already.
    talking.has(p1={"email": "new@lindeby.example"}, p2={"consent": False})
    assert talking.with_connector(outbound).figures(talking.sync()) == {"updated": 1, "removed": 1}


def test_dynamics_talks_back_too(dynamic, dataverse) -> None:
    back = BACK.replace("HasOptedOutOfEmail", "donotbulkemail")
    dynamic.settle(back, system=DYNAMICS)
    dynamic.has(p1=ANA)
    dynamic.sync()
    dataverse.state.environment.edit("contacts", dynamic.external("p1"), emailaddress1="new@lindeby.example", donotbulkemail=True)
    listened(dynamic)
    assert found(dynamic) == {
        ("p1", "email"): ("new@lindeby.example", "apply", "crm wins"),
        ("p1", "consent"): ("false", "apply", "withdrawal"),
    }


def test_a_record_of_somebody_who_may_not_be_there_gives_no_proposal(talking, org) -> None:
    org.state.org.edit("Contact", talking.external("p1"), Email="new@lindeby.example")
    talking.has(p1={"protected": True})
    assert listened(talking).counts.in_ == 0


def test_a_session_that_ends_in_the_middle_costs_nothing(talking, org) -> None:
    for name in ("p1", "p2"):
        org.state.org.edit("Contact", talking.external(name), Email="new@lindeby.example")
    org.state.page_rows = 1
    org.state.faults.set("session_expires")
    listened(talking)
    assert len(found(talking)) == 2


def test_an_erasure_takes_the_person_s_proposals_out_of_the_lake(talking, org) -> None:
    for name in ("p1", "p2"):
        org.state.org.edit("Contact", talking.external(name), Email=f"new-{name}@lindeby.example")
    listened(talking)
    erase(talking.engine, "lindeby", ask(talking.engine, "lindeby", patron_id="p1"), who="kirsten")
    assert set(found(talking)) == {("p2", "email")}
    left = [file for file in (talking.engine.home / "lake" / "crm_proposal").rglob("*.parquet") if b"new-p1@" in file.read_bytes()]
    assert left == []
