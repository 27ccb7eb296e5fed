"""`/trace`: a control number, card, ISBN, file name or hash, and every delivery and hand-off it went through.

The question is posted, so that no address, log or history holds it; a card's number becomes its pseudonym before anything is looked up.
"""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import HTMLResponse

from connectors.bi.manifest import Manifest
from connectors.bi.snapshot import snapshots
from include.engine.engine import Engine
from include.engine.privacy.pseudonym import LENGTH
from include.engine.trace import Traced, card_pseudonym, control_number, file_named, hashed, isbn, merged, pseudonym
from plugins.board.house import Settled, Using
from plugins.board.render import show
from plugins.board.viewer import Looking, Viewer

router = APIRouter()
NAV = ("/trace", "base.trace", False)
KINDS = ("anything", "control_number", "isbn", "card", "pseudonym", "file", "hash")
_HASH, _PSEUDONYM = re.compile(r"(sha256:)?[0-9a-fA-F]{64}"), re.compile(rf"[0-9a-f]{{{LENGTH}}}")
_ISBN = re.compile(r"(97[89])?\d{9}[\dX]")


@router.get("/trace", response_class=HTMLResponse)
def ask(request: Request, viewer: Looking, settled: Settled) -> HTMLResponse:
    """The question."""
    return _page(request, settled)


@router.post("/trace", response_class=HTMLResponse)
def answer(
    request: Request, viewer: Looking, engine: Using, settled: Settled,
    q: Annotated[str, Form()] = "", kind: Annotated[str, Form()] = "anything", partner: Annotated[str, Form()] = "",
) -> HTMLResponse:  # fmt: skip
    """What was found, in the order in which it happened."""
    text = " ".join(q.split())[:500]
    if not text or kind not in KINDS or (partner and not viewer.sees(partner)):
        raise HTTPException(400)
    if kind == "card" and not partner:
        return _page(request, settled, kind=kind, wants_partner=True)
    found = _found(engine, viewer, text, kind, partner)
    return _page(
        request,
        settled,
        text="" if kind == "card" else text,
        kind=kind,
        partner=partner,
        found=found,
        feeds=_feeds(engine, found) if viewer.engineer else [],
    )


def _found(engine: Engine, viewer: Viewer, text: str, kind: str, partner: str) -> Traced:
    partners = frozenset({partner}) if partner else viewer.partners
    if kind == "card":
        known = card_pseudonym(engine, partner, text)
        return pseudonym(engine, known, partners) if known else Traced()
    one = {"control_number": control_number, "isbn": isbn, "pseudonym": pseudonym, "file": file_named, "hash": hashed}
    if kind in one:
        return one[kind](engine, text, partners)
    kinds = ["control_number", "file"]
    kinds += ["hash"] if _HASH.fullmatch(text) else []
    kinds += ["pseudonym"] if _PSEUDONYM.fullmatch(text) else []
    kinds += ["isbn"] if _ISBN.fullmatch(text.replace("-", "").replace(" ", "").upper()) else []
    return merged(one[name](engine, text, partners) for name in kinds)


def _feeds(engine: Engine, found: Traced) -> list[Manifest]:
    """The first and the newest snapshot for analysts that have what was found."""
    if not found.versions:
        return []
    there = [
        one for one in snapshots(engine.home / "bi") if any(one.lake_versions.get(table, -1) >= at for table, at in found.versions.items())
    ]
    return there if len(there) < 3 else [there[0], there[-1]]


def _page(
    request: Request, settled: Settled, *,
    text: str = "", kind: str = "anything", partner: str = "", found: Traced | None = None, feeds: list[Manifest] | None = None, wants_partner: bool = False,
) -> HTMLResponse:  # fmt: skip
    return show(
        request, "trace.html", text=text, kind=kind, partner=partner, found=found, feeds=feeds or [], wants_partner=wants_partner, kinds=KINDS,
        partners=sorted(settled.partners.values(), key=lambda one: one.name.casefold()),
    )  # fmt: skip
