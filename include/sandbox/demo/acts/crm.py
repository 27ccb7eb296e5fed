"""Two libraries' patrons go to their CRM, Salesforce and Dynamics, and a second time nothing is left to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from typing import Any

from include.engine.delivery import Delivery, State
from include.engine.lake import read as lake_read
from include.engine.lake.table import Lake
from include.engine.ledger import Ledger, parts
from include.sandbox.demo.acts import Outcome, Play
from include.sandbox.demo.installation import Installation
from include.sandbox.demo.stage import Stage
from include.sandbox.servers.dataverse import DataverseServer, dataverse_server
from include.sandbox.servers.salesforce import SalesforceServer, salesforce_server

REACHABLE = ("Email",)


@dataclass(frozen=True)
class Crm:
    """One library's CRM: `numbers` gives the patron numbers that stand in it, `calls` how many calls it had."""

    library: str
    called: str
    through_guardian: bool
    numbers: Callable[[], set[str]]
    calls: Callable[[], int]


def prepare(installation: Installation, stack: ExitStack) -> Play:
    """Start an org and an environment; the org has a rule of its own, so that some rows are refused."""
    org = stack.enter_context(salesforce_server(installation.home / "servers" / "salesforce"))
    org.state.org.validation["Contact"] = REACHABLE, "A contact has an e-mail address."
    installation.env["AIRFLOW_CONN_LINDEBY_CRM"] = _quick(org.connection())
    crms = [_salesforce(org)]
    if "molendal" not in installation.skipped:
        environment = stack.enter_context(dataverse_server(installation.home / "servers" / "dataverse"))
        installation.env["AIRFLOW_CONN_MOLENDAL_CRM"] = _quick(environment.connection())
        crms.append(_dynamics(environment))

    def play(stage: Stage) -> Outcome:
        with ThreadPoolExecutor(len(crms)) as threads:
            found = list(threads.map(lambda crm: _synced(stage, crm), crms))
        pages = [f"{org.state.address}/lightning/r/Contact/{one['Id']}/view" for one in org.state.org.all("Contact")[:1]]
        lines = [line for outcome in found for line in outcome.lines]
        return Outcome(
            "CRM sync", lines + [f"a record and its deep link: {page}" for page in pages], [w for one in found for w in one.wrong]
        )

    return play


def _quick(connection: str) -> str:
    found = json.loads(connection)
    found["extra"] |= {"retry_seconds": 0.2, "poll_seconds": 0.2}
    return json.dumps(found)


def _salesforce(org: SalesforceServer) -> Crm:
    def numbers() -> set[str]:
        return {str(one["Patron_Number__c"]) for one in org.state.org.all("Contact")}

    return Crm("lindeby", "Salesforce", True, numbers, lambda: len(org.state.calls))


def _dynamics(environment: DataverseServer) -> Crm:
    def numbers() -> set[str]:
        return {str(one["bindery_patronnumber"]) for one in environment.state.environment.all("contacts")}

    return Crm("molendal", "Dynamics", False, numbers, lambda: len(environment.state.calls))


def _synced(stage: Stage, crm: Crm) -> Outcome:
    """Two syncs, one after the other, and what is wrong with them."""
    outcome = Outcome("CRM sync")
    may, known = _may_be_there(stage, crm)
    first = stage.deliver(crm.library, "crm_sync")
    outcome.lines.append(f"{crm.library} to {crm.called}: {_said(stage, first)}; {first.counts.filtered} left out on purpose")
    before = crm.calls()
    second = stage.deliver(crm.library, "crm_sync")
    calls = crm.calls() - before
    outcome.lines.append(f"{crm.library} to {crm.called}, again: {_said(stage, second)}; {calls} calls")
    there = crm.numbers()
    refused = sum(int(part.facts.get("refused", 0)) for part in parts.of(stage.ledger, first.id))
    if {first.state, second.state} != {State.ACKNOWLEDGED}:
        outcome.wrong.append(f"{crm.library}: the syncs ended {first.state} and {second.state}: {first.message or second.message}")
    if not there <= may or len(there) + refused < len(may):
        outcome.wrong.append(
            f"{crm.library}: {len(there)} of {len(may)} who may be in {crm.called} are there, {len(there - may)} who may not"
        )
    if first.counts.in_ != known:
        outcome.wrong.append(f"{crm.library}: {first.counts.in_} of {known} patrons are accounted for")
    if second.counts.in_ or calls:
        outcome.wrong.append(f"{crm.library}: the second sync had {second.counts.in_} records and made {calls} calls")
    return outcome


def _said(stage: Stage, delivery: Delivery) -> str:
    found = dict.fromkeys(("created", "updated", "refused"), 0)
    for part in parts.of(stage.ledger, delivery.id):
        for name in found:
            found[name] += int(part.facts.get(name, 0))
    unchanged = _settled(stage, delivery) - found["created"] - found["updated"]
    return f"{found['created']} created, {found['updated']} updated, {unchanged} unchanged, {found['refused']} rejected"


def _settled(stage: Stage, delivery: Delivery) -> int:
    """Records that the CRM has confirmed until now."""
    rows = lake_read.read(_lake(stage), "settled", partner=delivery.partner, columns=["flow", "outcome"], version="newest").to_pylist()
    return sum((row["flow"], row["outcome"]) == ("crm_sync", "sent") for row in rows)


def _may_be_there(stage: Stage, crm: Crm) -> tuple[set[str], int]:
    """Who may be in the CRM as a person, worked out from the register row by row; and how many are in the register."""
    rows: list[dict[str, Any]] = lake_read.read(_lake(stage), "patron_identity", partner=crm.library, version="newest").to_pylist()
    today = date.today()
    grown = date(today.year - 18, today.month, min(today.day, 28))

    def child(row: dict[str, Any]) -> bool:
        return bool(row["birth_date"] > grown) if row["birth_date"] else row["guardian_id"] is not None

    people = [row for row in rows if not (row["institution"] or row["deleted"] or row["merged_into"] or row["protected"])]
    adults = {row["patron_id"] for row in people if row["consent"] and not child(row)}
    children = {row["patron_id"] for row in people if child(row) and row["guardian_id"] in adults and row["consent"] is not False}
    return adults | (children if crm.through_guardian else set()), len(rows)


def _lake(stage: Stage) -> Lake:
    return Lake(str(stage.installation.home / "lake"), ledger=Ledger(f"sqlite:///{stage.installation.home}/ledger.db"))
