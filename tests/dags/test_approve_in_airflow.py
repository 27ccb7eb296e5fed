"""A held delivery in Airflow itself: dispatch asks a person, who sees what it would do, and whose answer stands in the audit."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.engine import clock
from include.engine.delivery import Counts, NewDelivery, State
from include.engine.engine import Engine
from include.engine.ledger import audit, claims, deliveries
from include.engine.replay import answer
from include.sandbox.airflow import Airflow, running
from tests.crash.house import House

pytestmark = [pytest.mark.airflow, pytest.mark.long]  # its own Airflow: half a minute

PARTNER = """\
name: Lindeby Biblioteker
isil: DK-799001
timezone: Europe/Copenhagen
language: da
flows: {}
"""
SHOWN = {
    "counts": {"contact": {"change": 900, "remove": 40}},
    "removed": {"contact": {"CRM_NO_CONSENT": 40}},
    "fields": {"contact": [{"field": "Category__c", "column": "category", "records": 900, "pairs": [["child", "adult", 900]]}]},
    "mapping": {},
    "untold": {},
}


def test_dispatch_asks_a_person_who_sees_the_diff_and_whose_no_is_noted(tmp_path: Path) -> None:
    house = House(tmp_path / "home", "", None)  # type: ignore[arg-type]
    (house.home / "partners").mkdir(parents=True)
    (house.home / "partners" / "lindeby.yaml").write_text(PARTNER)
    held = _held(house.engine)
    with running(house.home, house.env | {"BINDERY_DISPATCH_SECONDS": "5"}) as airflow:
        waiting = _until(lambda: _questions(airflow))
        assert [one["options"] for one in waiting] == [["yes", "no"]]
        assert waiting[0]["subject"] == "Lindeby Biblioteker: crm_sync is held"
        for words in (
            "900 changed, 40 removed",
            "| Category__c | category | 900 | `child` → `adult` (900) |",
            "40 removed: the patron has not",
        ):
            assert words in waiting[0]["body"]
        before = _rounds(
            airflow
        )  # an answer within the first second, sooner than any person's, is lost on Airflow 3.3.2 or fails its task:
        _until(lambda: _rounds(airflow) > before + 1)  # a question can be read before its task has lain down and its process has gone
        run = waiting[0]["task_instance"]["dag_run_id"]
        where = f"dags/approve/dagRuns/{run}/taskInstances/ask/-1/hitlDetails"
        airflow.api(where, {"chosen_options": ["no"], "params_input": {}}, method="PATCH")
        done = _until(lambda: deliveries.get(house.engine.ledger, held).dismissed_by)
        other = _held(house.engine, 2)
        _until(lambda: len(_questions(airflow)) == 1)
        answer(house.engine, other, yes=False, who="erik")  # as the board's button does
        _until(lambda: not _questions(airflow))
        ended = _until(lambda: _ended(airflow))
    assert done not in {None, "", "airflow"}
    assert sorted(one.action for one in audit.find(house.engine.ledger, subject=held)) == ["ask", "close_question", "dismiss"]
    assert [(one.who, one.action) for one in audit.find(house.engine.ledger, subject=other)] == [
        ("airflow", "close_question"), ("erik", "dismiss"), ("airflow", "ask"),
    ]  # fmt: skip
    assert ended == ["success", "success"], "nobody is asked any more, and nothing is red"


def _held(engine: Engine, number: int = 1) -> str:
    new = NewDelivery(f"lindeby__crm_sync__20261122T050000__0000000{number}", "lindeby", "crm_sync", "", clock.now(), facts={"pins": {}})
    deliveries.see(engine.ledger, new)
    claims.claim(engine.ledger, new.id)
    token = claims.take(engine.ledger, new.id, "select")
    told = {"count": 940, "value": "2,000", "limit": "20%", "expected": "contact 900 changed, 40 removed"}
    claims.advance(engine.ledger, token, State.HELD, reason="CRM_MANY_CHANGES", message="", told=told, counts=Counts(), shown=SHOWN)
    return new.id


def _questions(airflow: Airflow) -> list[dict[str, Any]]:
    """What stands under Required Actions: Airflow's own page asks so."""
    asked = "dags/~/dagRuns/~/hitlDetails?response_received=false&state=deferred&state=awaiting_input"
    found: list[dict[str, Any]] = airflow.api(asked)["hitl_details"]
    return found


def _ended(airflow: Airflow) -> list[str]:
    """How the runs of `approve` ended, once all have."""
    states = [one["state"] for one in airflow.api("dags/approve/dagRuns")["dag_runs"]]
    return states if set(states) <= {"success", "failed"} else []


def _rounds(airflow: Airflow) -> int:
    return int(airflow.api("dags/dispatch/dagRuns?state=success&limit=1")["total_entries"])


def _until(found: Callable[[], Any], seconds: float = 180.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.5)
    return value
