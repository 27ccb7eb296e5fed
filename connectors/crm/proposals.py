"""`crm_proposals`: what people changed in the CRM, read back since the last time, as proposals with the verdict of the partner's rules.

What only our own sync changed is no proposal: the CRM says who changed a record last. Where the register has changed too since the CRM
last confirmed the record, nobody wins: a person decides. A consent that was withdrawn counts whatever the rules say, and whoever wrote into the
record after that: our sync does not touch its field, so it is looked for in records that we changed last as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from connectors.crm.held import Held, held
from connectors.crm.settings import CrmProposals, Proposable, Proposed
from connectors.crm.sync_settings import CrmSync
from connectors.crm.systems import system_of
from include.engine import clock
from include.engine.contract.arrow import arrow_schema
from include.engine.contract.loading import load
from include.engine.delivery import Delivery
from include.engine.errors import SettingsError
from include.engine.inbound.connector import Binder, Read, Work
from include.engine.inbound.pulled import Pull
from include.engine.inbound.work import as_delivered
from include.engine.lake.plan import Mode
from include.engine.ledger import windows
from include.engine.partner.settings import Partner
from include.engine.storage.warc import Page, pages

SERIES = "contact"
CHANGED, REGISTER = "urn:bindery:crm:changed", "urn:bindery:crm:register"
JSON = "application/json"
CLOCKS_DIFFER = timedelta(minutes=2)
PAGE = 2000


def fetch(pull: Pull) -> None:
    """Two kinds of pages: records that others have changed since the last look, as the CRM has them; and what the register has of these."""
    flow, sync = _settings(pull.partner, pull.delivery.flow)
    their = sync.objects["contact"]
    covered = windows.covered_until(windows.find(pull.engine.ledger, pull.partner.id, pull.delivery.flow, series=SERIES))
    window = windows.begin(
        pull.engine.ledger, pull.delivery, SERIES, "changes", covered - flow.overlap if covered else None, clock.now() - CLOCKS_DIFFER
    )
    fields = [theirs_of(sync, name, one) for name, one in flow.fields.items()]
    system = system_of(sync, pull.engine.credentials.get(sync.connection))
    seen: list[str] = []
    batch: list[dict[str, Any]] = []

    def keep() -> None:
        pull.pages.add(Page(CHANGED, clock.now(), json.dumps(batch, ensure_ascii=False).encode(), JSON))
        seen.extend(one[their.key] for one in batch)
        batch.clear()

    for record in system.changed(their.object, their.key, fields, window.from_at, ours="consent" in flow.fields):
        if record.pop("ours"):
            if not _withdrawn(record, flow, sync):
                continue
            record = {name: record[name] for name in (their.key, theirs_of(sync, "consent", flow.fields["consent"]), "changed_at")}
        batch.append(record)
        if len(batch) == PAGE:
            keep()
    keep()
    known = held(pull, sync, set(seen))
    pull.pages.add(Page(REGISTER, clock.now(), json.dumps(known, ensure_ascii=False).encode(), JSON))
    windows.note(pull.engine.ledger, window, figures={"records": len(seen), "known": len(known)}, fetched=True)


def _withdrawn(record: dict[str, Any], flow: CrmProposals, sync: CrmSync) -> bool:
    return _ours_for(record[theirs_of(sync, "consent", flow.fields["consent"])], flow.fields["consent"]) == "false"


def read(work: Work) -> Iterator[Read]:
    """A proposal for each field that differs; of a record that came twice (a try that went on after another) the last counts."""
    flow, sync = _settings(work.partner, work.delivery.flow)
    changed: dict[str, tuple[dict[str, Any], Page]] = {}
    register: dict[str, Held] = {}
    for member in work.members():
        for page in pages(member.stream):
            told = json.loads(page.content)
            if page.uri == CHANGED:
                changed |= {one[sync.objects["contact"].key]: (one, page) for one in told}
            else:
                register |= {key: Held(**value) for key, value in told.items()}
    rows = [
        {**_place(number, page), **row}
        for number, (key, (record, page)) in enumerate(changed.items(), start=1)
        if key in register
        for row in _proposals(record, register[key], flow, sync)
    ]
    schema = arrow_schema(load("crm_proposal_incoming"), source_columns=True)
    yield Read("crm_proposal", pa.RecordBatch.from_pylist(rows, schema=schema))


def _place(number: int, page: Page) -> dict[str, Any]:
    return {"_member": "", "_record": number, "_offset": page.offset, "_length": len(page.content)}


def _proposals(record: dict[str, Any], known: Held, flow: CrmProposals, sync: CrmSync) -> Iterator[dict[str, Any]]:
    for name, proposed in flow.fields.items():
        if (field := theirs_of(sync, name, proposed)) not in record:  # ours since: nobody's change can be seen in it any more
            continue
        theirs = _ours_for(record[field], proposed)
        ours = getattr(known, name)
        if theirs == ours or (name == "consent" and theirs is None):
            continue
        verdict, rule = judged(name, theirs, proposed, known)
        yield {
            "patron": known.patron, "field": name, "ours": ours, "theirs": theirs, "verdict": verdict, "rule": rule,
            "changed_at": datetime.fromisoformat(record["changed_at"]),
        }  # fmt: skip


def judged(name: Proposable, theirs: str | None, proposed: Proposed, known: Held) -> tuple[str, str]:
    """The verdict and its rule."""
    if name == "consent" and theirs == "false":
        return "apply", "withdrawal"
    if known.changed:
        return "ask", "changed on both sides"
    if known.minor and name != "consent":
        return "ask", "a guardian's, in a child's record"
    if theirs is None and proposed.wins == "crm":  # in the file for the library system nothing is "not changed"
        return "ask", "emptied there"
    return {"crm": "apply", "ils": "keep", "ask": "ask"}[
        proposed.wins
    ], f"{proposed.wins} wins" if proposed.wins != "ask" else "a person decides"


def _ours_for(value: Any, proposed: Proposed) -> str | None:
    """Their value as the register would have it, as text; empty is empty."""
    if isinstance(value, bool):
        value = str(value).lower()
    if value in (None, ""):
        return None
    found = proposed.values.get(str(value), str(value))
    return str(found).lower() if isinstance(found, bool) else found


def theirs_of(sync: CrmSync, name: Proposable, proposed: Proposed) -> str:
    """Their field of one of ours."""
    if proposed.field:
        return proposed.field
    for field, column in sync.objects["contact"].fields.items():
        if column == name:
            return field
    raise SettingsError(f"crm_sync fills no field with {name}.", do=f"Say which one it is: crm_proposals, fields, {name}, field.")


def _settings(partner: Partner, name: str) -> tuple[CrmProposals, CrmSync]:
    flow, sync = partner.flows.get(name), partner.flows.get("crm_sync")
    if not isinstance(flow, CrmProposals) or not isinstance(sync, CrmSync) or "contact" not in sync.objects:
        raise SettingsError(
            "proposals come from the contacts of crm_sync, and the partner has none.", where=partner.where(), do="Set up crm_sync first."
        )
    return flow, sync


def incoming(table: str) -> str:
    """The contract of what was read."""
    return f"{table}_incoming"


def binder(work: Work) -> Binder:
    """The lake's rows are the incoming ones, with the partner's name on them."""
    return as_delivered(work)


def mode(_delivery: Delivery, _table: str) -> Mode:
    """New and changed proposals."""
    return "delta"
