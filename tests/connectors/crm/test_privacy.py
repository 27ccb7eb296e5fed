"""No personal value is anywhere but sealed, and what an erasure takes out here is taken out there."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import sqlalchemy as sa

from include.engine.delivery import State
from include.engine.erasure import ask, erase
from include.engine.ledger import quarantined
from include.engine.ledger.schema import metadata
from tests.connectors.crm.conftest import DYNAMICS, SALESFORCE

CANARY = {
    "last_name": "Kanariefugl", "first_name": "Zebulon", "email": "zebulon.kanariefugl@lindeby.example", "phone": "+45 00987654",
    "address": "Kanarievej 77", "national_id": "020180-9996", "card_numbers": ["9990001112223"], "name": "Zebulon Kanariefugl",
}  # fmt: skip
ID = "canary4711"
VALUES = ["Kanariefugl", "Zebulon", "00987654", "Kanarievej", "020180", "9990001112223", ID]


def found_in(home: Path) -> list[str]:
    """Files outside the lake in which a value of the canary stands; the lake's identity table may hold it."""
    hits = []
    for file in home.rglob("*"):
        if file.is_file() and "patron_identity" not in file.parts:
            content = file.read_bytes()
            hits += [f"{file.relative_to(home)}: {value}" for value in VALUES if value.encode() in content]
    return hits


def in_ledger(library) -> list[str]:
    hits = []
    with library.engine.ledger.reading(None) as tx:
        for table in metadata.sorted_tables:
            for row in tx.execute(sa.select(table)):
                text = json.dumps([str(one) for one in row], ensure_ascii=False)
                hits += [f"{table.name}: {value}" for value in VALUES if value in text]
    return hits


def test_no_value_of_a_person_is_in_logs_ledger_or_any_unsealed_file_whatever_the_crm_quotes(library, org, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    library.settle(system=SALESFORCE.replace('"*": Andet', '"*": Ukendt'))
    library.has(
        **{
            ID: CANARY,
            "p2": {**CANARY, "email": "kanariefugl"},
            "p3": {**CANARY, "last_name": "Kanariefugl" * 9},
            "p4": {**CANARY, "category": "odd"},
        }
    )
    done = library.sync()
    assert library.figures(done) == {"created": 1, "refused": 3}
    for form in ("    bulk_from: 1\n", "    bulk_from: 1\n    brake: {changed: 100%, removed: 100%}\n"):
        library.settle(form, system=SALESFORCE.replace("adult: Voksen", "adult: Senior" if "brake" in form else "adult: Voksen"))
        library.sync()
    assert found_in(library.engine.home) == []
    assert in_ledger(library) == []
    said = "\n".join(f"{record.getMessage()} {record.exc_text or ''}" for record in caplog.records)
    assert [value for value in VALUES if value in said] == []


def test_nor_when_dynamics_refuses_or_the_task_fails(dynamic, dataverse, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    dynamic.settle(system=DYNAMICS)
    dynamic.has(**{ID: CANARY, "p2": {**CANARY, "last_name": "Kanariefugl" * 9}})
    dataverse.state.environment.faults.set("unavailable", 7)
    dynamic.sync()
    assert found_in(dynamic.engine.home) == []
    assert in_ledger(dynamic) == []
    said = "\n".join(f"{record.getMessage()} {record.exc_text or ''}" for record in caplog.records)
    assert [value for value in VALUES if value in said] == []


def test_a_person_erased_here_is_named_on_the_certificate_with_the_crm_and_gone_there_with_the_next_sync(library, org) -> None:
    library.has(**{ID: CANARY, "p2": {}})
    first = library.sync()
    external = library.external(ID)
    certificate = erase(library.engine, "lindeby", ask(library.engine, "lindeby", patron_id=ID), who="kirsten")
    assert "salesforce://lindeby_crm/Contact" in certificate.outside
    done = library.sync()
    assert (done.state, library.figures(done)) == (State.ACKNOWLEDGED, {"removed": 1})
    contact = org.state.org.one("Contact", external)
    assert [value for value in VALUES if value in json.dumps(contact, ensure_ascii=False)] == []
    assert library.settled()[f"contact/{external}"] == ("sent", -4)
    assert first.id != done.id


def test_a_removal_that_the_crm_refuses_is_asked_again_at_every_sync(library, org, monkeypatch) -> None:
    library.has(p1={}, p2={})
    library.sync()
    library.settle(system=SALESFORCE.replace("anonymous: {LastName: Anonymised}", "anonymous: {}", 1))  # LastName is required there
    library.settle("    brake: {from: 50}\n", system=SALESFORCE.replace("anonymous: {LastName: Anonymised}", "anonymous: {}", 1))
    library.sync()
    library.has(p1={"consent": False})
    for _ in range(2):
        done = library.sync()
        assert library.figures(done) == {"refused": 1}
        assert {one.reason for one in quarantined.find(library.engine.ledger, delivery_id=done.id)} == {"CRM_FIELD_MISSING"}
    library.settle("    brake: {from: 50}\n")
    assert library.figures(library.sync())["removed"] == 1
    assert org.state.org.one("Contact", library.external("p1"))["LastName"] == "Anonymised"
