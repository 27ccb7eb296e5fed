"""A fortnight of five libraries in a ledger, for pictures and for the browser's tests: made through the ledger's own functions, day by day.

Nothing lies behind it (no bytes, no lake): pages that read those have the installation of `house.py`.
"""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import time_machine

from connectors import flow_models
from include.engine.contract.loading import load
from include.engine.contract.model import Contract, Rule
from include.engine.credentials import EnvironmentCredentials
from include.engine.delivery import Counts, Delivery, NewDelivery, State, delivery_id
from include.engine.engine import ROOT, Engine
from include.engine.ledger import Ledger, claims, deliveries, gate_results, inbox, notices, quarantined, receipts
from include.engine.ledger.notices import Notice
from include.engine.partner.loading import Partners, load_partners
from include.engine.partner.settings import InboxFlow, ScheduledFlow
from include.engine.partner.when import last_due
from include.engine.quarantine.schema import SET_ASIDE

NOW = datetime(2026, 11, 22, 7, 40, tzinfo=UTC)
DAYS = 14
SILENT = """\
name: Tavsby Bibliotek
isil: DK-799009
timezone: Europe/Copenhagen
language: da
status: live
staff: [tove]
flows:
  ils_import:
    profile: cicero
    inbox: file:inbox/tavsby
    deliveries:
      - {table: patron, files: "patrons_*.csv", mode: full, expected: "daily 05:00"}
      - {table: loan, files: "loans_*.zip", mode: append, loans: events, expected: "daily 06:00"}
"""
SIZES = {"bibliographic": 9_400, "authority": 2_100, "item": 14_800, "patron": 6_300, "loan": 1_750, "hold": 420, "fee": 260, "": 900}
SPOILT = {"patron": [("DATE_UNREADABLE", "birth_date"), ("BIRTH_IN_FUTURE", "birth_date")], "loan": [("LOAN_IN_FUTURE", "loaned_on")],
          "item": [("KEY_MISSING", "item_id")], "bibliographic": [("MARC_LENGTH_WRONG", None)]}  # fmt: skip

CONTRACTS = {"ils_import": "ils_{table}", "oai_harvest": "oai_record", "adhl_upload": "adhl_loan", "crm_sync": "crm_record"}


@dataclass(frozen=True)
class Outcome:
    rule: str
    severity: str
    reason: str | None
    checked: int
    failed: int
    passed: bool


def busy(base: Path, ledger: Ledger, days: int = DAYS) -> Engine:
    """The engine of such an installation in `base`; the last moment in it is NOW."""
    home, partners = base / "home", base / "partners"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copytree(ROOT / "include" / "partners", partners, ignore=shutil.ignore_patterns("*.json"))
    (partners / "tavsby.yaml").write_text(SILENT)
    (partners / "sondervig.yaml").write_text(
        "name: Søndervig Bibliotek\ntimezone: Europe/Copenhagen\nlanguage: da\nflows:\n  ils_import:\n    profil: cicero\n"
    )
    engine = Engine(home, ledger, EnvironmentCredentials({}), flow_models(), partners)
    chance = random.Random(7)
    found = load_partners(partners, engine.flows)
    with engine.ledger.kept_open():
        for back in range(days, -1, -1):
            for at, partner, flow, table, path in sorted(_of_day(found, NOW - timedelta(days=back))):
                if at < NOW and _comes(partner, flow, back):
                    with time_machine.travel(at, tick=False) as clock:
                        _deliver(engine, partner, flow, table, path, at, back, chance, clock)
        with time_machine.travel(NOW, tick=False):
            for number in range(4):
                inbox.look_failed(
                    engine.ledger,
                    "molendal",
                    "ils_import",
                    "smb://molendal_inbox/deliveries/exports",
                    "no answer",
                    NOW - timedelta(minutes=9 - number),
                )
            notices.replace(engine.ledger, [Notice(one.partner, one.file, one.line, one.message) for one in found.mistakes])
    return engine


def _of_day(found: Partners, day: datetime) -> Iterator[tuple[datetime, str, str, str, str]]:
    """When (a while before it is due), partner, flow, table and file of whatever is due on a day."""
    evening = day.replace(hour=22, minute=59)
    for partner in found.partners.values():
        for name, flow in partner.flows.items():
            if isinstance(flow, InboxFlow):
                crons = [(str(spec.expected), spec.table, spec.files.replace("*", f"{day:%Y%m%d}")) for spec in flow.deliveries]
            else:
                crons = [(flow.schedule, flow.table, "")] if isinstance(flow, ScheduledFlow) else []
            for number, (cron, table, path) in enumerate(crons):
                due = last_due(cron, partner.timezone, evening).astimezone(UTC)
                if due > evening - timedelta(days=1):
                    yield due - timedelta(minutes=31 - 3 * number) if path else due, partner.id, name, table, path


def _comes(partner: str, flow: str, back: int) -> bool:
    if partner == "tavsby":
        return back > 4
    return flow in CONTRACTS and not (partner == "molendal" and flow == "ils_import" and back == 0)


def _deliver(
    engine: Engine,
    partner: str,
    flow: str,
    table: str,
    path: str,
    at: datetime,
    back: int,
    chance: random.Random,
    clock: time_machine.Traveller,
) -> Delivery:
    ledger, number = (
        engine.ledger,
        int(SIZES.get(table, 900) * (0.85 + 0.3 * chance.random()) * {"lindeby": 1.0, "almvik": 0.7}.get(partner, 0.4)),
    )
    new = NewDelivery(
        delivery_id(partner, table or flow, at, path, number * 190, 0), partner, flow, table, at, mode="full" if table != "loan" else "append",
        source_uri=f"file:inbox/{partner}" if path else None, path=path or None, size=number * 190 if path else None, mtime_ns=int(at.timestamp() * 1e9),
    )  # fmt: skip
    deliveries.see(ledger, new)
    if partner == "lindeby" and table == "fee" and back == 0:
        return deliveries.get(ledger, new.id)
    clock.shift(4)
    claims.claim(ledger, new.id)
    clock.shift(3)
    hashed = "sha256:" + hashlib.sha256(new.id.encode()).hexdigest()
    token = claims.take(ledger, new.id, "receive" if path else "select")
    if partner == "havnsund" and table == "loan" and back == 0:
        return claims.advance(
            ledger,
            token,
            State.BLOCKED,
            content_hash=hashed,
            reason="CHARSET_REFUSED",
            message="the file is UTF-16, and UTF-8 was declared [CHARSET_REFUSED]",
        )
    spoilt = SPOILT.get(table, []) if flow == "ils_import" else []
    bad = {one: chance.randrange(1, 9) for one in spoilt if chance.random() < 0.4}
    counts = Counts(in_=number, published=number - sum(bad.values()), quarantined=sum(bad.values()))
    clock.shift(number / 2500)
    claims.advance(ledger, token, State.STAGED, content_hash=hashed, staged_uri=f"staging/{new.id}", counts=Counts(in_=number))
    clock.shift(1)
    token = claims.take(ledger, new.id, "gate" if path else "render")
    contract = load(CONTRACTS[flow].format(table=table))
    clock.shift(number / 1200)
    with ledger.begin() as tx:
        outcomes = [_outcome(contract, rule, number, bad) for rule in contract.rules]
        gate_results.add(ledger, new.id, "incoming" if path else "outbound", contract.id, contract.version, outcomes, tx=tx)
        rows = [{"member": "", "record": 40 * i + 3, "offset": 7_600 * i, "length": 190, "reason": reason, "column": column, "detail": "", "raw": b""}
                for i, (reason, column) in enumerate(key for key, n in bad.items() for _ in range(n))]  # fmt: skip
        if rows and back < 9:
            quarantined.add(ledger, new.id, pa.Table.from_pylist(rows, schema=SET_ASIDE), f"file:quarantine/{new.id}.sealed", tx=tx)
        if partner == "lindeby" and table == "patron" and back == 0:
            return claims.advance(ledger, token, State.HELD, counts=Counts(in_=number, held=number), contract={contract.id: contract.version}, 
                                  reason="MASS_DELETION", message="the export [MASS_DELETION]", told={"count": 1904, "limit": "20 %"},
                                  tx=tx)  # fmt: skip
        claims.advance(ledger, token, State.GATED, counts=counts, contract={contract.id: contract.version}, tx=tx)
    clock.shift(1)
    token = claims.take(ledger, new.id, "publish" if path else "send")
    changed = number // 20
    figures = {
        "version_before": 40 - back,
        "version_after": 41 - back,
        "added": changed,
        "changed": changed // 2,
        "deleted": changed // 4,
        "unchanged": counts.published - changed - changed // 2,
    }
    facts = {"published": {table: figures}} if path else {"pins": {"patron": 41 - back}, "sent": {"parts": 3, "bytes": number * 220}}
    clock.shift(number / 3100)
    claims.advance(ledger, token, State.PUBLISHED, counts=Counts(**{**counts.__dict__, "added": changed, "changed": changed // 2}), **facts)
    if partner == "almvik" and flow == "oai_harvest" and back == 0:
        return deliveries.get(ledger, new.id)
    clock.shift(1)
    token = claims.take(ledger, new.id, "acknowledge" if path else "confirm")
    for kind, uri in {"own txt": f"file:receipts/{partner}/{new.id}.txt", "mail acknowledged": "mailto:drift@example.org"}.items():
        receipts.add(ledger, new.id, kind, uri, "da", sent_at=at)
    clock.shift(1)
    return claims.advance(ledger, token, State.ACKNOWLEDGED)


def _outcome(contract: Contract, rule: Rule, checked: int, bad: dict[tuple[str, str | None], int]) -> Outcome:
    """The first rule with a reason has broken as often as records were set aside for it."""
    first = next(one for one in contract.rules if one.reason == rule.reason)
    failed = sum(count for (reason, _), count in bad.items() if reason == rule.reason) if first is rule else 0
    return Outcome(rule.id, rule.severity, rule.reason, checked, failed, failed == 0 or rule.severity != "block")
