"""`/contracts`: what each hand-off promises and how well it was kept; a contract's page, its document, and a delivery's Data Docs."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import lru_cache
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from include.engine import clock
from include.engine.contract.loading import load_all
from include.engine.contract.model import Contract
from include.engine.contract.page import HANDOFFS, SEVERITIES, page, type_in_words
from include.engine.engine import ROOT
from include.engine.errors import Unreachable, WrongState
from include.engine.ledger import gate_results, history
from include.engine.ledger.gate_results import GateResult
from plugins.board.headers import DOCUMENT
from plugins.board.house import Using
from plugins.board.reads import contracts as reads
from plugins.board.reads.scope import one_delivery
from plugins.board.render import show, zone
from plugins.board.viewer import Looking

router = APIRouter()
NAV = ("/contracts", "base.contracts", False)
PATIENCE = 60


@router.get("/contracts", response_class=HTMLResponse)
def all_contracts(request: Request, viewer: Looking, engine: Using) -> HTMLResponse:
    """Every contract by its hand-off, with its last 30 days."""
    found = _contracts(engine)
    with engine.ledger.read() as tx:
        fares = reads.fares(tx, viewer.partners)
    order = sorted(found.values(), key=lambda one: (one.id not in fares, one.title))  # those that judged something first
    groups = [(name, [one for one in order if one.handoff == name]) for name in HANDOFFS]
    return show(request, "contracts.html", groups=[group for group in groups if group[1]], fares=fares, nothing=reads.Fare())


@router.get("/contracts/{contract}", response_class=HTMLResponse)
def one(request: Request, viewer: Looking, engine: Using, contract: str) -> HTMLResponse:
    """A contract: its columns and rules, how often each was kept, its versions, and where it was broken."""
    found = _contract(engine, contract)
    with engine.ledger.read() as tx:
        values: dict[str, Any] = {
            "fare": reads.fares(tx, viewer.partners).get(found.id, reads.Fare()),
            "rules": reads.rules(tx, found.id, viewer.partners),
            "versions": reads.versions(tx, found.id, viewer.partners),
            "broken": reads.broken(tx, found.id, viewer.partners),
            "daily": reads.daily(tx, found.id, viewer.partners),
        }
    groups = [(name, [rule for rule in found.rules if rule.severity == name]) for name in SEVERITIES]
    return show(request, "contract.html", one=found, groups=[group for group in groups if group[1]], type_in_words=type_in_words, **values)


@router.get("/contracts/{contract}/document", response_class=HTMLResponse)
def document(viewer: Looking, engine: Using, contract: str) -> HTMLResponse:
    """The contract as one file that can be kept and mailed; it needs neither net nor script."""
    headers = {"content-security-policy": DOCUMENT}
    return HTMLResponse(page(_contract(engine, contract)).replace('<nav><a href="index.html">All contracts</a></nav>', ""), headers=headers)


@router.get("/deliveries/{delivery}/docs/{contract}", response_class=HTMLResponse)
def docs(request: Request, viewer: Looking, engine: Using, delivery: str, contract: str, gate: str = "") -> HTMLResponse:
    """What a contract said of a delivery, as Great Expectations' own Data Docs, offline."""
    one = one_delivery(engine.ledger, delivery, viewer.partners)
    if not history.whole(engine.ledger, one.id):
        raise WrongState(
            "the rules that held are not kept any more.", where=one.id, do="Those that were broken are on the delivery's own page."
        )
    found = [row for row in gate_results.of(engine.ledger, one.id) if row.contract == contract and gate in ("", row.gate)]
    if not found:
        raise HTTPException(404)
    promise = _contract(engine, contract)
    if found[0].version != promise.version:
        what = f"version {found[0].version} of {contract} judged this delivery, and version {promise.version} is the one at hand."
        raise WrongState(what, where=one.id, do="Its figures are on the delivery's own page.")
    asked = {
        "contract": contract,
        "folder": str(engine.contracts_folder),
        "delivery": one.id,
        "today": clock.day_in(zone(request, one.partner), one.seen_at).isoformat(),
        "at": one.touched_at.isoformat(),
        "rows": max(row.checked for row in found),
        "results": [_plain(row) for row in found],
    }
    return HTMLResponse(_data_docs(json.dumps(asked, sort_keys=True)), headers={"content-security-policy": DOCUMENT})


def _plain(row: GateResult) -> dict[str, object]:
    return {name: getattr(row, name) for name in ("rule", "severity", "reason", "checked", "failed", "passed")}


@lru_cache(maxsize=64)
def _data_docs(asked: str) -> str:
    """Rendered in a process of its own: Great Expectations takes seconds and 260 MB to load."""
    command = [sys.executable, "-m", "include.engine.gate", "docs"]
    try:
        done = subprocess.run(command, input=asked, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE, check=True)
    except (subprocess.SubprocessError, OSError) as error:
        raise Unreachable(f"Great Expectations did not render it: {type(error).__name__}.", do="Try again.") from None
    return done.stdout


def _contracts(engine: Using) -> dict[str, Contract]:
    return load_all(engine.contracts_folder)


def _contract(engine: Using, name: str) -> Contract:
    found = _contracts(engine).get(name)
    if found is None:
        raise HTTPException(404)
    return found
