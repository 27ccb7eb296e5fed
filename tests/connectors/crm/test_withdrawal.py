"""Consent withdrawn, a patron gone, a child without its guardian: what a sync takes out of the CRM, and what it proves."""

from __future__ import annotations

from datetime import date

import pytest

from connectors.crm.systems import system_of
from include.engine.errors import SettingsError
from include.engine.ledger import copies
from include.engine.outbound.select import select
from tests.connectors.crm.conftest import SALESFORCE

ANA = {"email": "ana@lindeby.example", "phone": "+45 00123456"}
CHILD = {"birth_date": date(2020, 1, 1), "first_name": "Bo", "email": "bo@lindeby.example", "category": "child", "consent": None}


def test_consent_withdrawn_anonymises_there_and_the_ledger_says_so(library, org) -> None:
    library.has(p1=ANA, p2=ANA)
    library.sync()
    library.has(p1={"consent": False})
    done = library.sync()
    contact = org.state.org.one("Contact", library.external("p1"))
    assert (contact["LastName"], contact["Email"], contact["Library_Record__c"]) == ("Anonymised", None, None)
    assert library.figures(done) == {"removed": 1}
    assert library.settled()[f"contact/{library.external('p1')}"] == ("sent", -1)
    assert [one.uri for one in copies.find(library.engine.ledger, delivery_id=done.id)] == ["salesforce://lindeby_crm/Contact"]
    assert library.sync().counts.in_ == 0


def test_or_deletes_there_where_the_settings_say_so(library, org) -> None:
    library.settle("    on_withdrawal: delete\n")
    library.has(p1=ANA, p2=ANA)
    library.sync()
    library.has(p1={"protected": True})
    library.sync()
    assert org.state.org.one("Contact", library.external("p1")) is None
    assert len(org.state.org.all("Contact")) == 1


def test_a_patron_who_is_gone_from_the_lake_is_removed_there(library, org) -> None:
    library.has(p1=ANA, p2=ANA)
    library.sync()
    gone = library.external("p1")
    library.has(p1=None)
    assert library.figures(library.sync()) == {"removed": 1}
    assert org.state.org.one("Contact", gone)["LastName"] == "Anonymised"
    assert library.sync().counts.in_ == 0


def test_removing_makes_no_record_of_one_that_somebody_deleted_there(library, org) -> None:
    library.has(p1=ANA)
    library.sync()
    org.state.org.delete("Contact", org.state.org.one("Contact", library.external("p1"))["Id"])
    library.has(p1={"consent": False})
    assert library.figures(library.sync()) == {"gone": 1}
    assert org.state.org.all("Contact") == []


def test_who_agrees_again_is_sent_again(library, org) -> None:
    library.has(p1=ANA)
    library.sync()
    for consent in (False, True):
        library.has(p1={"consent": consent})
        library.sync()
    assert org.state.org.one("Contact", library.external("p1"))["Email"] == "ana@lindeby.example"


def test_a_child_goes_through_its_guardian_with_nothing_of_its_own_but_the_name(library, org) -> None:
    library.settle("    minors: through_guardian\n")
    library.has(c1={**CHILD, "guardian_id": "p1"}, c2={**CHILD, "guardian_id": "p2"}, c3=CHILD, p1=ANA, p2={**ANA, "consent": False})
    done = library.sync()
    child, guardian = (org.state.org.one("Contact", library.external(one)) for one in ("c1", "p1"))
    assert (child["Guardian__c"], child["Email"], child["MailingCity"]) == (guardian["Id"], "ana@lindeby.example", None)
    assert done.facts["filtered"] == {"CRM_MINOR": 2, "CRM_NO_CONSENT": 1}
    library.has(p1={"consent": False})
    assert library.figures(library.sync()) == {"removed": 2}
    assert org.state.org.one("Contact", library.external("c1"))["Guardian__c"] is None


@pytest.mark.parametrize("how", ["anonymise", "delete"])
def test_of_two_records_there_with_one_external_id_none_keeps_the_person(library, org, how) -> None:
    library.settle(f"    on_withdrawal: {how}\n")
    library.has(p1=ANA, p2=ANA)
    library.sync()
    org.state.org.insert("Contact", {"LastName": "Holm", "Email": ANA["email"], "Bindery_Id__c": library.external("p1")})
    library.has(p1={"consent": False})
    assert library.figures(library.sync()) == {"removed": 1}
    assert [one["Email"] for one in org.state.org.find("Contact", "Bindery_Id__c", library.external("p1"))] == [None, None][
        : 2 * (how == "anonymise")
    ]
    assert library.sync().counts.in_ == 0


@pytest.mark.parametrize("delete", [True, False])
def test_a_task_that_salesforce_has_archived_is_taken_out_too(library, org, delete) -> None:
    old = org.state.org.insert("Task", {"Subject": "Book talk", "Bindery_Id__c": "k1"})
    org.state.org.archived.add(old)
    system = system_of(library.engine.partner("lindeby").flows["crm_sync"], library.engine.credentials.get("lindeby_crm"))
    assert system.remove("Task", "Bindery_Id__c", ["k1"], {"Subject": None}, delete=delete).removed == 1
    assert [one["Subject"] for one in org.state.org.all("Task")] == [None] * (not delete)


def test_locked_records_are_anonymised_in_a_later_round(library, org) -> None:
    library.has(p1=ANA, p2=ANA)
    library.sync()
    library.has(p1={"consent": False})
    org.state.faults.set("lock_rows")
    assert library.figures(library.sync()) == {"removed": 1}


WITHOUT_ACCOUNTS = SALESFORCE[: SALESFORCE.index("      account:")]


def test_a_kind_that_the_yaml_dropped_is_asked_for_and_with_sent_false_its_records_go(library, org) -> None:
    library.has(p1=ANA, s1={"institution": True, "name": "Lindeby Skole"})
    library.sync()
    library.settle(system=WITHOUT_ACCOUNTS)
    library.has(p2=ANA)
    stuck = library.begun()
    with pytest.raises(SettingsError, match=r"kind account.*sent: false"):
        select(library.engine, stuck.id, library.connector)
    library.settle("        sent: false\n")
    assert library.figures(library.run(stuck.id)) == {"created": 1, "removed": 1}
    assert [(one["Name"], one["Library_Record__c"]) for one in org.state.org.all("Account")] == [("Anonymised", None)]
    library.settle(system=WITHOUT_ACCOUNTS)
    assert library.sync().counts.in_ == 0


def test_to_say_that_a_kind_is_sent_makes_no_record_another(library, org) -> None:
    library.has(p1=ANA, s1={"institution": True, "name": "Lindeby Skole"})
    library.sync()
    library.settle("        sent: true\n")
    assert library.sync().counts.in_ == 0
