"""What a sync brings into Dynamics, and what goes wrong on the way, over real sockets."""

from __future__ import annotations

import json
import socket
import time
from datetime import date

import pytest

from connectors.crm.dynamics import rows
from connectors.crm.dynamics.batch import Operation, batch, row_path
from connectors.crm.dynamics.client import Environment
from include.engine.credentials import from_json
from include.engine.delivery import State
from include.engine.errors import SettingsError, Unreachable
from include.engine.outbound.render import render
from include.engine.outbound.select import select
from include.engine.outbound.send import send
from tests.connectors.crm.conftest import DYNAMICS, quick

ANA = {"email": "ana@molendal.example"}


def environment(dataverse) -> Environment:
    return Environment(from_json("crm", quick(dataverse.connection())), pause=0.01)


def test_whatever_a_name_holds_is_one_record(dynamic, dataverse) -> None:
    name = "Ana\u2028Lise\u0085Holm\u001e"  # Python's splitlines would make four lines of it
    dynamic.has(p1={**ANA, "first_name": name}, p2=ANA)
    done = dynamic.sync()
    assert (done.state, done.counts.published) == (State.ACKNOWLEDGED, 2)
    assert dataverse.state.environment.one("contacts", dynamic.external("p1"))["firstname"] == name


def test_patrons_and_institutions_become_rows_by_their_alternate_key_with_a_deep_link(dynamic, dataverse) -> None:
    dynamic.has(p1=ANA, s1={"institution": True, "name": "Lindeby Skole", "national_id": "10150817"})
    done = dynamic.sync()
    assert dynamic.figures(done) == {"created": 2}
    contact = dataverse.state.environment.one("contacts", dynamic.external("p1"))
    assert (contact["lastname"], contact["bindery_category"]) == ("Holm", 1)
    assert contact["bindery_libraryrecord"] == "https://vsmart.lindeby.example/borrower/p1"
    [account] = dataverse.state.environment.all("accounts")
    assert account["accountnumber"] == "10150817"


def test_a_second_sync_sends_nothing_and_a_changed_patron_alone_is_updated(dynamic, dataverse) -> None:
    dynamic.has(p1=ANA, p2=ANA)
    dynamic.sync()
    dataverse.state.calls.clear()
    assert dynamic.sync().counts.in_ == 0
    assert dataverse.state.calls == []
    dynamic.has(p2={"email": "new@molendal.example"})
    assert dynamic.figures(dynamic.sync()) == {"updated": 1}


def test_a_child_is_bound_to_its_guardian_and_loses_the_bond_when_it_is_of_age(dynamic, dataverse) -> None:
    dynamic.settle("    minors: through_guardian\n", system=DYNAMICS)
    dynamic.has(p1=ANA, c1={"birth_date": date(2020, 1, 1), "guardian_id": "p1", "consent": None, "category": "child"})
    assert dynamic.figures(dynamic.sync()) == {"created": 2}
    child, guardian = (dataverse.state.environment.one("contacts", dynamic.external(one)) for one in ("c1", "p1"))
    assert child["bindery_guardian"] == guardian["contactid"]
    dynamic.has(c1={"birth_date": date(2000, 1, 1), "consent": True, "category": "adult"})
    assert dynamic.figures(dynamic.sync()) == {"updated": 1}
    assert dataverse.state.environment.one("contacts", dynamic.external("c1"))["bindery_guardian"] is None


@pytest.mark.parametrize("how", ["anonymise", "delete"])
def test_consent_withdrawn_takes_the_person_out_and_makes_no_row_that_was_not_there(dynamic, dataverse, how) -> None:
    dynamic.settle(f"    on_withdrawal: {how}\n", system=DYNAMICS)
    dynamic.has(p1=ANA, p2=ANA)
    dynamic.sync()
    dataverse.state.environment.delete("contacts", dynamic.external("p2"))
    dynamic.has(p1={"consent": False}, p2={"consent": False})
    assert dynamic.figures(dynamic.sync()) == {"removed": 1, "gone": 1}
    left = dataverse.state.environment.all("contacts")
    assert [(one["lastname"], one["emailaddress1"]) for one in left] == ([("Anonymised", None)] if how == "anonymise" else [])


@pytest.mark.parametrize("fault", ["throttled", "token_expires", "unavailable", "batch_500", "batch_lost", "row_locked", "row_throttled"])
def test_whatever_call_goes_wrong_every_row_is_there_once(dynamic, dataverse, fault) -> None:
    dynamic.has(**{f"p{number}": ANA for number in range(7)})
    dataverse.state.environment.faults.set(fault)
    done = dynamic.sync()
    assert (done.state, dataverse.state.environment.faults.taken[fault]) == (State.ACKNOWLEDGED, 1)
    assert sum(dynamic.figures(done).values()) == 7
    assert len(dataverse.state.environment.all("contacts")) == 7


def test_a_value_that_is_too_long_costs_its_own_row_alone(dynamic, dataverse) -> None:
    dynamic.has(p1={"last_name": "L" * 51}, p2=ANA)
    done = dynamic.sync()
    assert dynamic.figures(done) == {"created": 1, "refused": 1}
    assert "CRM_VALUE_TOO_LONG" in dynamic.receipt(done)
    assert "maximum allowed length of '50'" in dynamic.receipt(done)


def test_a_key_with_quotes_and_slashes_names_one_row(dataverse) -> None:
    world, crm = dataverse.state.environment, environment(dataverse)
    keys = ["O'Brien", "a/b", "50% & more", "x?y#z", "(é)", "it''s"]
    assert rows.upsert(crm, "contacts", "bindery_id", [{"bindery_id": key, "lastname": key} for key in keys]).created == len(keys)
    assert [world.one("contacts", key)["lastname"] for key in keys] == keys
    assert rows.delete(crm, "contacts", "bindery_id", keys).removed == len(keys)
    assert row_path("contacts", "k", "O'Brien/1") == "contacts(k='O%27%27Brien%2F1')"


def test_never_more_batches_at_once_than_agreed(dataverse) -> None:
    dataverse.state.most, dataverse.state.ready = 3, lambda: dataverse.state.busiest == 3  # the first ones wait for each other
    records = [{"bindery_id": f"k{number}", "lastname": "x"} for number in range(1200)]
    assert rows.upsert(environment(dataverse), "contacts", "bindery_id", records, at_once=3).created == 1200
    assert (dataverse.state.busiest, len(dataverse.state.calls)) == (3, 12)


def test_more_than_the_service_takes_at_once_waits_as_long_as_it_says(dataverse) -> None:
    slept: list[float] = []
    dataverse.state.most, dataverse.state.ready = 1, lambda: bool(slept)  # the first one goes on once another was told to wait
    crm = Environment(from_json("crm", quick(dataverse.connection())), sleep=lambda seconds: (slept.append(seconds), time.sleep(0.1))[0])
    assert (
        rows.upsert(crm, "contacts", "bindery_id", [{"bindery_id": f"k{n}", "lastname": "x"} for n in range(300)], at_once=2).created == 300
    )
    assert set(slept) == {0.01}


def test_a_login_that_is_refused_blocks_without_telling_the_secret(dynamic, dataverse) -> None:
    dynamic.has(p1=ANA)
    dataverse.state.environment.faults.set("login_refused")
    blocked = dynamic.sync()
    assert (blocked.state, blocked.reason) == (State.BLOCKED, "CRM_LOGIN_REFUSED")


def test_a_batch_has_at_most_a_thousand_operations(dataverse) -> None:
    with pytest.raises(ValueError, match="1000"):
        batch(environment(dataverse), [Operation("DELETE", row_path("contacts", "bindery_id", "x"))] * 1001)


def test_rows_are_read_over_many_pages(dataverse) -> None:
    crm = environment(dataverse)
    rows.upsert(crm, "contacts", "bindery_id", [{"bindery_id": f"k{number}", "lastname": "x"} for number in range(25)])
    dataverse.state.page_rows = 10
    found = list(crm.rows("contacts", {"$select": "bindery_id", "$filter": "lastname eq 'x'", "$orderby": "bindery_id"}))
    assert len({one["bindery_id"] for one in found}) == 25


def test_a_bulk_file_rendered_before_the_yaml_named_another_system_is_refused_with_what_to_do(dynamic, org, dataverse) -> None:
    dynamic.connect(org.connection())
    dynamic.settle("    bulk_from: 1\n")
    dynamic.has(p1={}, p2={})
    made = dynamic.begun()
    for step in (select, render):
        step(dynamic.engine, made.id, dynamic.connector)
    dynamic.settle(system=DYNAMICS)
    dynamic.connect(dataverse.connection())
    with pytest.raises(SettingsError, match="this part is a bulk file, and dynamics takes none"):
        send(dynamic.engine, made.id, dynamic.connector)


def test_a_row_that_the_service_had_no_time_for_is_due_again_at_the_next_sync(dynamic, dataverse) -> None:
    dynamic.has(p1=ANA)
    dataverse.state.environment.faults.set("row_throttled", 4)
    assert dynamic.figures(dynamic.sync()) == {"refused": 1}
    assert dynamic.figures(dynamic.sync()) == {"created": 1}


def test_a_table_that_is_not_there_is_not_taken_for_a_row_that_is_gone(dataverse) -> None:
    found = rows.delete(environment(dataverse), "contact", "bindery_id", ["k1"])
    assert (found.gone, list(found.refused)) == (0, ["k1"])


def test_a_login_that_is_out_of_order_fails_the_try_and_not_the_delivery(dynamic, dataverse) -> None:
    dynamic.has(p1=ANA)
    delivery = dynamic.begun()
    dataverse.state.environment.faults.set("login_later")
    assert dynamic.run(delivery.id).state == State.FAILED
    assert dynamic.run(delivery.id).state == State.ACKNOWLEDGED


def test_a_login_that_is_never_answered_is_given_up(monkeypatch) -> None:
    monkeypatch.setattr("connectors.crm.session.SECONDS", (0.1, 0.1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        extra = {"tenant": "t", "authority": f"https://127.0.0.1:{silent.getsockname()[1]}"}
        connection = from_json("crm", json.dumps({"conn_type": "http", "host": "x.crm4.dynamics.com", "login": "id", "extra": extra}))
        with pytest.raises(Unreachable):
            Environment(connection).call("GET", "WhoAmI")
