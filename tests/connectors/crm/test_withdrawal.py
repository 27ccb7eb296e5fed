"""Consent withdrawn, a patron gone, a child without its guardian: what a sync takes out of the CRM, and what it proves."""

from __future__ import annotations

from datetime import date

from include.engine.ledger import copies

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
