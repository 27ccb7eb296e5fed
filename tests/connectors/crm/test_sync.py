"""What a sync brings into Salesforce, what it leaves alone, and what it takes out again."""

from __future__ import annotations

from datetime import date

from include.engine.delivery import State
from tests.connectors.crm.conftest import SALESFORCE

ANA = {"email": "ana@lindeby.example", "phone": "+45 00123456"}
CHILD = {"birth_date": date(2020, 1, 1), "first_name": "Bo", "email": "bo@lindeby.example", "category": "child", "consent": None}


def test_a_consenting_patron_becomes_a_contact_in_the_partner_s_own_fields_with_a_deep_link(library, org) -> None:
    library.has(p1=ANA)
    done = library.sync()
    assert (done.state, done.counts.published) == (State.ACKNOWLEDGED, 1)
    contact = org.state.org.one("Contact", library.external("p1"))
    found = {
        name: contact[name] for name in ("FirstName", "LastName", "Email", "Patron_Category__c", "Member_Until__c", "Library_Record__c")
    }
    assert found == {
        "FirstName": "Ana", "LastName": "Holm", "Email": "ana@lindeby.example", "Patron_Category__c": "Voksen", "Member_Until__c": "2027-05-01",
        "Library_Record__c": "https://vsmart.lindeby.example/borrower/p1",
    }  # fmt: skip


def test_a_whole_name_is_divided_where_the_library_system_does_not(library, org) -> None:
    library.has(p1={"first_name": None, "last_name": None, "name": "Ana Lise Holm"})
    library.sync()
    contact = org.state.org.one("Contact", library.external("p1"))
    assert (contact["FirstName"], contact["LastName"]) == ("Ana Lise", "Holm")


def test_an_institution_becomes_an_account_with_its_company_number_and_needs_no_consent(library, org) -> None:
    library.has(s1={"institution": True, "consent": None, "name": "Lindeby Skole", "national_id": "10150817"})
    library.sync()
    [account] = org.state.org.all("Account")
    assert (account["Name"], account["Company_Number__c"]) == ("Lindeby Skole", "10150817")
    assert org.state.org.all("Contact") == []


def test_who_has_not_agreed_is_protected_deleted_merged_or_a_child_is_not_sent_and_the_receipt_counts_why(library, org) -> None:
    library.has(
        p1={"consent": False}, p2={"consent": None}, p3={"protected": True}, p4={"deleted": True}, p5={"merged_into": "p9"}, p6=CHILD,
        p7={"birth_date": None, "guardian_id": "p1"},
    )  # fmt: skip
    done = library.sync()
    assert org.state.calls == []
    assert (done.counts.in_, done.counts.filtered) == (7, 7)
    assert done.facts["filtered"] == {"CRM_LEFT_LIBRARY": 2, "CRM_MINOR": 2, "CRM_NO_CONSENT": 2, "CRM_PROTECTED": 1}


def test_a_second_sync_of_the_same_register_sends_nothing_and_does_not_even_log_in(library, org) -> None:
    library.has(p1=ANA, p2={"consent": False})
    library.sync()
    org.state.calls.clear()
    org.state.door.logins.clear()
    done = library.sync()
    assert (done.state, done.counts.in_) == (State.ACKNOWLEDGED, 0)
    assert (org.state.calls, org.state.door.logins) == ([], [])


def test_each_way_of_logging_in_brings_the_same(library, org) -> None:
    for number, way in enumerate(("jwt", "client_credentials", "soap")):
        library.connect(org.connection(way))
        library.has(**{f"p{number}": ANA})
        assert library.sync().state == State.ACKNOWLEDGED
    assert org.state.door.logins == ["jwt", "client_credentials", "soap"]
    assert len(org.state.org.all("Contact")) == 3


def test_only_what_changed_in_a_mapped_field_goes_again(library, org) -> None:
    library.has(p1=ANA, p2=ANA, p3=ANA)
    library.sync()
    library.has(p1={"email": "new@lindeby.example"}, p2={"address": "Nygade 2"})  # the address is not mapped
    done = library.sync()
    assert library.figures(done) == {"updated": 1}
    assert org.state.org.one("Contact", library.external("p1"))["Email"] == "new@lindeby.example"


def test_a_value_that_is_gone_is_emptied_there_too(library, org) -> None:
    for form in ("", "    bulk_from: 1\n"):
        library.settle(form)
        library.has(p1=ANA)
        library.sync()
        library.has(p1={"phone": None})
        library.sync()
        assert org.state.org.one("Contact", library.external("p1"))["Phone"] is None


def test_another_mapping_sends_everything_again(library, org) -> None:
    library.has(p1=ANA, p2=ANA)
    library.sync()
    library.settle(system=SALESFORCE.replace("adult: Voksen", "adult: Senior"))
    assert library.figures(library.sync()) == {"updated": 2}


def test_many_go_as_one_bulk_job_and_few_as_calls_of_two_hundred(library, org) -> None:
    library.settle("    bulk_from: 300\n")
    library.has(**{f"p{number}": ANA for number in range(301)})
    library.sync()
    assert len(org.state.ingest.jobs) == 1
    assert len(org.state.org.all("Contact")) == 301
    library.settle("    bulk_from: 300\n    brake: {changed: 100%}\n")
    library.has(**{f"p{number}": {"email": "new@lindeby.example"} for number in range(250)})
    library.sync()
    assert len(org.state.ingest.jobs) == 1
    assert [path for method, path in org.state.calls if method == "PATCH" and "composite" in path] == [
        "composite/sobjects/Contact/Bindery_Id__c"
    ] * 2


def test_the_receipt_says_what_was_created_changed_removed_and_was_there_already(library, org) -> None:
    library.has(p1={"email": "a@lindeby.example"}, p2={}, p3={}, p4={})
    first = library.sync()
    assert "There now: 4 new, 0 changed, 0 removed, 0 as before." in library.receipt(first)
    library.has(p1={"email": "b@lindeby.example"}, p2={"consent": False}, p5={})
    second = library.sync()
    assert "There now: 1 new, 1 changed, 1 removed, 2 as before." in library.receipt(second)
    assert library.receipt_json(second)["outbound"]["unchanged"] == 2
    third = library.sync()
    assert "Nothing was due: nothing is sent.\nAs before: 4." in library.receipt(third)
    assert "Hos modtageren: 1 nye, 1 ændrede, 1 fjernede, 2 som før." in library.receipt_in(second, "da")
