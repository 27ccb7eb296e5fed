"""`/partners`: who there is, what is due next, what is wrong with whose settings; a partner's page; pause and resume."""

from __future__ import annotations

import re
from typing import Annotated, Any

import yaml
from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from include.engine import clock
from include.engine.ledger import audit, conflicts, inbox, notices, pauses
from include.engine.partner.loading import Mistake
from include.engine.partner.settings import InboxFlow, Partner, ScheduledFlow
from include.engine.privacy.mask import noted
from plugins.board.house import Settled, Using, all_partners
from plugins.board.reads import expected
from plugins.board.reads.deliveries import listed
from plugins.board.reads.overview import overview
from plugins.board.render import Whole, show, url
from plugins.board.viewer import Looking, engineers_only

router = APIRouter()
NAV = ("/partners", "base.partners", False)
LONGEST_YAML = 200_000
CONFLICTS = 100
"""Conflicts of self-service that the page names."""
_NUMBER = re.compile("[0-9]{1,18}")


@router.get("/partners", response_class=HTMLResponse)
def everybody(request: Request, viewer: Looking, engine: Using, settled: Settled) -> HTMLResponse:
    """Every partner that the viewer may see, those with something wrong first."""
    found = overview(engine.ledger, settled, viewer.partners)
    now, paused = clock.now(), pauses.find(engine.ledger)
    rows = {row.partner: row for row in found.rows}
    mistaken: dict[str, list[Mistake]] = {}
    for one in settled.mistakes:
        mistaken.setdefault(one.partner, []).append(one)
    due = {id: next(iter(expected.next_moments(one, now)), None) for id, one in settled.partners.items()}
    order = [*(id for id in mistaken if id not in rows), *rows, *(id for id in settled.partners if id not in rows and id not in mistaken)]
    return show(request, "partners.html", order=order, rows=rows, settled=settled.partners, mistaken=mistaken, due=due, paused=paused)


@router.get("/partners/{partner}", response_class=HTMLResponse)
def one(request: Request, viewer: Looking, engine: Using, settled: Settled, partner: str) -> HTMLResponse:
    """A partner: its flows and when they are due, its inboxes, its settings as they were read, and what is wrong with them."""
    known = settled.partners.get(partner)
    file = engine.partners_folder / f"{partner}.yaml"
    names = {one.stem for one in engine.partners_folder.glob("*.yaml")}
    if not viewer.sees(partner) or partner not in names:  # a name from the address is never part of a path before it is one of these
        raise HTTPException(404)
    now = clock.now()
    mistakes = [one for one in settled.mistakes if one.partner == partner]
    with engine.ledger.read() as tx:
        paused = pauses.find(engine.ledger, tx=tx)
        values: dict[str, Any] = {
            "looks": {(one.flow, one.inbox): one for one in inbox.looks(engine.ledger, partner=partner, tx=tx)},
            "standing": [one for one in notices.find(engine.ledger, partner=partner, tx=tx) if one.line is None],
            "recent": listed(tx, viewer.partners, partner=partner, limit=8),
            "audit": audit.find(engine.ledger, subject=partner, limit=20, tx=tx),
            "conflicts": conflicts.standing(engine.ledger, partner=partner, limit=CONFLICTS, tx=tx),
            "all_conflicts": sum(heap.count for (of, _), heap in conflicts.heaps(engine.ledger, tx=tx).items() if of == partner),
            "done": conflicts.done(engine.ledger, partner, tx=tx),
            "missing": expected.missing(tx, pauses.without([known], paused), now) if known else [],
        }
    return show(
        request,
        "partner.html",
        id=partner,
        one=known,
        file=file.name,
        mistakes=mistakes,
        wrong_lines={one.line for one in mistakes},
        lines=[Whole(line[:500]) for line in file.read_text(encoding="utf-8", errors="replace")[:LONGEST_YAML].splitlines()],
        loaded=_loaded(known),
        due=expected.next_moments(known, now)[:12] if known else [],
        kinds={name: _kind(flow) for name, flow in known.flows.items()} if known else {},
        paused={name: pauses.of(paused, partner, name) for name in (known.flows if known else ())},
        whole_pause=paused.get((partner, "")),
        **values,
    )


@router.post("/partners/{partner}/pause", dependencies=[Depends(engineers_only)])
def pause(request: Request, viewer: Looking, engine: Using, partner: str, flow: Annotated[str, Form()] = "") -> RedirectResponse:
    """Pause a flow of the partner, or (with no flow) all of them; the ledger writes the audit."""
    _there(request, partner, flow)
    pauses.pause(engine.ledger, partner, flow, viewer.name)
    return RedirectResponse(url(request, f"/partners/{partner}"), 303)


@router.post("/partners/{partner}/resume", dependencies=[Depends(engineers_only)])
def resume(request: Request, viewer: Looking, engine: Using, partner: str, flow: Annotated[str, Form()] = "") -> RedirectResponse:
    """Let what was paused go on."""
    pauses.resume(engine.ledger, partner, flow, viewer.name)
    return RedirectResponse(url(request, f"/partners/{partner}"), 303)


@router.post("/partners/{partner}/conflicts")
def dealt_with(
    request: Request, viewer: Looking, engine: Using, partner: str,
    which: Annotated[list[str], Form()] = [], note: Annotated[str, Form()] = "",  # noqa: B006 - how FastAPI asks for a list
) -> RedirectResponse:  # fmt: skip
    """Conflicts of self-service that an engineer, or the library's own staff, have dealt with; the ledger writes the audit."""
    if not viewer.sees(partner):
        raise HTTPException(404)
    named = [(source, int(number)) for number, _, source in (one.partition(" ") for one in which) if source and _NUMBER.fullmatch(number)]
    if not named or len(named) < len(which):
        raise HTTPException(400)
    conflicts.deal(engine.ledger, partner, named, viewer.name, noted(note))
    return RedirectResponse(f"{url(request, f'/partners/{partner}')}#conflicts", 303)


def _there(request: Request, partner: str, flow: str) -> None:
    known = all_partners(request).partners.get(partner)
    if known is None or (flow and flow not in known.flows):
        raise HTTPException(404)


def _kind(flow: object) -> str:
    return "inbox" if isinstance(flow, InboxFlow) else "schedule" if isinstance(flow, ScheduledFlow) else "other"


def _loaded(partner: Partner | None) -> str | None:
    """The settings with every default filled in, as YAML."""
    if partner is None:
        return None
    plain = partner.model_dump(mode="json", exclude={"id"})
    return Whole(yaml.safe_dump(plain, allow_unicode=True, sort_keys=False, width=110)[:LONGEST_YAML])
