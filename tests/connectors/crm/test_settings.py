"""What a partner's YAML may say of its CRM, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from connectors.crm.people import SOURCES
from connectors.crm.settings import CrmActivities, CrmIlsUpdate, CrmMailing
from connectors.crm.sync_settings import COLUMNS_OF, CONTRACT, OWN, CrmSync
from include.engine.contract.loading import load

CONTACT = {"object": "Contact", "key": "Bindery_Id__c", "fields": {"LastName": "last_name"}}
SYNC: dict[str, Any] = {
    "schedule": "daily 05:30", "system": "salesforce", "connection": "lindeby_crm", "deep_link": "https://ils.example/{patron_id}",
    "objects": {"contact": CONTACT},
}  # fmt: skip
TASK = {"object": "Task", "key": "K__c", "fields": {"Who.K__c": "about"}}
BORROWED = ("title", "titles", "control_number", "isbn", "item_id", "barcode", "loaned_on", "due_on", "loan_id", "hold_id", "fee")


def settings(**more: Any) -> CrmSync:
    return CrmSync(**{**SYNC, **more})


@pytest.mark.parametrize("column", BORROWED)
def test_what_was_borrowed_is_no_column_of_the_contract_and_no_mapping_can_name_it(column) -> None:
    assert column not in load(CONTRACT).names
    with pytest.raises(ValidationError, match="not a column that may leave"):
        settings(objects={"contact": {**CONTACT, "fields": {"Last_Loan__c": column}}})


def test_the_contract_says_that_it_carries_identities() -> None:
    contract = load(CONTRACT)
    assert (contract.identity, contract.handoff) == (True, "outbound")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"deep_link": "http://ils.example/{patron_id}"}, "https"),
        ({"deep_link": "https://ils.example/{national_id}"}, "national_id"),
        ({"objects": {"contact": {**CONTACT, "fields": {"Last Name": "last_name"}}}}, "is no field"),
        ({"objects": {"contact": {**CONTACT, "fields": {"Bindery_Id__c": "patron_id"}}}}, "not mapped"),
        ({"objects": {"contact": {**CONTACT, "values": {"Category__c": {"a": "b"}}}}}, "mapped fields"),
        ({"objects": {"task": TASK}}, "no contacts are sent"),
        ({"objects": {"loan": CONTACT}}, "objects"),
        ({"objects": {"contact": {**CONTACT, "fields": {"a": "category"}, "values": {"a": {"adult": 1, "*": "other"}}}}}, "several sorts"),
        ({"objects": {"contact": {**CONTACT, "fields": {"a@odata.bind": "category"}}}}, "names no other record"),
        ({"objects": {"contact": {**CONTACT, "fields": {"Title": "subject"}}}}, "a contact has none"),
        ({"objects": {"lead": {"object": "Lead", "key": "K__c", "fields": {"Link__c": "deep_link"}}}}, "patron_id: a lead has none"),
        ({"objects": {"contact": {**CONTACT, "sent": False}, "task": TASK}}, "no contacts are sent"),
        ({"brake": {"changed": "a lot"}}, "percentage"),
        ({"at_once": 60}, "52"),
        ({"system": "sugar"}, "salesforce"),
    ],
)
def test_a_mistake_is_told_with_what_is_allowed(more, said) -> None:
    with pytest.raises(ValidationError, match=said):
        settings(**more)


def test_a_kind_s_columns_are_those_of_its_fields_and_of_the_link_s_address() -> None:
    found = settings(objects={"contact": {**CONTACT, "fields": {"LastName": "last_name", "Link__c": "deep_link"}}})
    assert found.columns("contact") == {"last_name", "patron_id"}


@pytest.mark.parametrize("source", SOURCES, ids=lambda one: one.kinds[0])
def test_a_kind_may_be_mapped_from_what_its_query_gives_and_nothing_else(source) -> None:
    given = {name for name in load(CONTRACT).names if f" {name}," in source.sql or f".{name}," in source.sql}
    for kind in source.kinds:
        assert COLUMNS_OF[kind] == given - OWN


@pytest.mark.parametrize(
    ("flow", "more"),
    [
        (CrmMailing, {"columns": {"Navn": "full_name"}}),
        (CrmMailing, {"columns": {"Samtykke": "consent"}}),
        (CrmIlsUpdate, {"columns": {"Adresse": "address"}}),
        (CrmActivities, {"columns": {"happend_on": "dato"}}),
    ],
)
def test_a_column_that_is_not_ours_is_told_before_a_file_is_written_or_read(flow, more) -> None:
    given = {"inbox": "file:in", "deliveries": [{"table": "crm_activity", "files": "*.csv", "mode": "delta"}]}
    own = given if flow is CrmActivities else {"schedule": "daily 05:30", "outbox": "file:out"}
    flow(**own)
    with pytest.raises(
        ValidationError, match=f"{next(iter(more['columns'].values())) if flow is not CrmActivities else 'happend_on'}: no column"
    ):
        flow(**own, **more)
