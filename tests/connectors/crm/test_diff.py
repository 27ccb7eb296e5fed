"""What a person sees before they approve a sync: the fields that change, from what to what, and nobody's data."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.dataset as ds

from include.engine.approval import ask, unasked
from include.engine.delivery import Delivery, State
from include.engine.lake.maintenance import history_without
from include.engine.ledger import audit
from include.engine.replay import answer
from tests.connectors.crm.conftest import SALESFORCE

ANA = {"email": "ana@lindeby.example", "phone": "+45 00123456"}
BRAKE = "    brake: {changed: 20%, removed: 5%, from: 3}\n"


def everybody(library, count: int = 20) -> None:
    library.settle(BRAKE)
    library.has(**{f"p{number}": {**ANA, "first_name": f"Ana{number}", "category": "child"} for number in range(count)})
    assert library.sync().state == State.ACKNOWLEDGED


def page(library, held: Delivery) -> str:
    assert (held.state, held.reason) == (State.HELD, "CRM_MANY_CHANGES")
    return ask(library.engine, held.id, who="airflow").body


def test_each_field_that_changes_is_named_with_its_records_and_codes_are_shown_from_old_to_new(library, org) -> None:
    everybody(library)
    library.has(p0={"email": "other@nordby.example", "category": "adult"}, **{f"p{n}": {"category": "adult"} for n in range(1, 9)})
    shown = page(library, library.sync())
    assert "#### contact: 9 changed" in shown
    assert "| Patron_Category__c | category | 9 | `child` → `adult` (9) |" in shown
    assert "| Email | email | 1 | `x@x.x` → `x@x.x` (1) |" in shown


def test_a_value_of_few_records_is_not_shown_though_its_field_is(library, org) -> None:
    everybody(library)
    library.has(**{f"p{number}": {"city": f"Ø-by {number}", "category": "adult"} for number in range(8)})
    shown = page(library, library.sync())
    assert "| MailingCity | city | 8 | *too few of each to show* |" in shown
    assert "Ø-by" not in shown


def test_a_mass_removal_says_why_each_goes(library, org) -> None:
    everybody(library)
    library.has(**{f"p{number}": {"consent": False} for number in range(6)}, p6={"protected": True})
    shown = page(library, library.sync())
    assert "#### contact: 7 removed" in shown
    assert "6 removed: the patron has not agreed to be written to" in shown
    assert "1 removed: name and address are protected" in shown


def test_a_new_mapping_is_told_from_new_data(library, org) -> None:
    everybody(library)
    library.settle(BRAKE, system=SALESFORCE.replace("LastName: last_name", "LastName: name"))
    assert "20 records are as they were: it is the mapping in the partner's YAML that is another." in page(library, library.sync())


def test_where_the_lakes_history_is_gone_the_page_says_so_and_still_counts(library, org) -> None:
    everybody(library)
    library.has(**{f"p{number}": {"category": "adult"} for number in range(9)})
    history_without(library.engine.lake, "patron_identity", "lindeby", ds.field("patron") == "nobody")
    shown = page(library, library.sync())
    assert "#### contact: 9 changed" in shown
    assert "of 9 changed records the earlier state can no longer be read" in shown


def test_no_persons_value_reaches_the_ledger_the_form_or_the_receipt(library, org, tmp_path: Path) -> None:
    everybody(library)
    library.has(**{f"p{n}": {"last_name": "Kanariefugl", "email": f"kanarie{n}@fugl.example", "phone": "+45 99887766"} for n in range(9)})
    held = library.sync()
    seen = page(library, held) + library.receipt(held) + json.dumps(held.facts) + json.dumps(library.receipt_json(held), default=str)
    database = b"".join(file.read_bytes() for file in tmp_path.rglob("*.db*"))
    for value in ("Kanariefugl", "kanarie3", "99887766", "ana@lindeby", "00123456", "Ana3"):
        assert value not in seen
        assert value.encode() not in database


def test_a_persons_yes_is_for_what_they_saw_and_not_for_more(library, org) -> None:
    everybody(library)
    library.has(**{f"p{number}": {"category": "adult"} for number in range(9)})
    held = library.sync()
    yes = answer(library.engine, held.id, yes=True, who="kirsten")
    library.has(**{f"p{number}": {"consent": False} for number in range(8)})
    library.claimed()
    again = library.run(yes.id)
    assert "8 removed" in page(library, again)
    last = answer(library.engine, again.id, yes=True, who="kirsten")
    library.claimed()
    assert library.figures(library.run(last.id)) == {"removed": 8, "updated": 1}


def test_a_held_delivery_is_asked_about_once_and_not_after_its_answer(library, org) -> None:
    everybody(library)
    library.has(**{f"p{number}": {"category": "adult"} for number in range(9)})
    held = library.sync()
    assert [one.id for one in unasked(library.engine)] == [held.id]
    page(library, held)
    assert unasked(library.engine) == []
    assert [one.action for one in audit.find(library.engine.ledger, subject=held.id)] == ["ask", "start"]
