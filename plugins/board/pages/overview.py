"""`/`: partners and flows as a matrix, and before it whatever needs somebody."""

from __future__ import annotations

from collections import Counter

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from plugins.board.house import Settled, Using
from plugins.board.reads.kiosks import kiosks
from plugins.board.reads.overview import overview
from plugins.board.render import show
from plugins.board.viewer import Looking

router = APIRouter()
NAV = ("/", "base.overview", False)
MOST_TROUBLES = 12
ROWS = 60
"""Partners that a page shows; the quiet ones are at the end, and on the page of all partners."""


@router.get("/", response_class=HTMLResponse)
def page(request: Request, viewer: Looking, engine: Using, settled: Settled) -> HTMLResponse:
    """The overview."""
    found = overview(engine.ledger, settled, viewer.partners)
    cells = [cell for row in found.rows for cell in row.cells.values()]
    kinds = Counter(one.kind for one in found.troubles)
    oldest = min((cell.aside.since for cell in cells if cell.aside.since), default=None)
    tiles = {
        "stopped": sum(one.level == "stop" for one in found.troubles),
        "late": sum(one.level == "late" for one in found.troubles),
        "held": kinds["held"],
        "aside": sum(cell.aside.records for cell in cells),
        "rules": sum(cell.broken for cell in cells),
        "backlog": sum(cell.queue.waiting for cell in cells),
    }
    return show(
        request,
        "overview.html",
        found=found,
        tiles=tiles,
        oldest_aside=oldest,
        flying=sum(cell.queue.flying for cell in cells),
        kiosks=kiosks() if viewer.engineer else [],
        troubles=found.troubles[:MOST_TROUBLES],
        more=max(0, len(found.troubles) - MOST_TROUBLES),
        rows=found.rows[:ROWS],
        more_rows=max(0, len(found.rows) - ROWS),
    )
