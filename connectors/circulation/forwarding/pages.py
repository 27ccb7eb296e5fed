"""What store and forward shows over HTTP, beside /health and /metrics: how it is with the library system, and what staff must look at.

The pages are for those who watch the process. Cards are masked and titles left out; `python -m connectors.circulation conflicts` tells all.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.circulation.forwarding.backend import Forwarding
from connectors.circulation.forwarding.report import as_csv, rows
from connectors.circulation.words import LANGUAGES, Language


def routes(forwarding: Forwarding) -> list[Route]:
    """/conflicts and /conflicts.csv; `?language=da`."""

    def found(request: Request) -> list[dict[str, str]]:
        asked = request.query_params.get("language", "en")
        language: Language = asked if asked in LANGUAGES else "en"
        return [row | {"title": ""} for row in rows(forwarding.conflicts(), language, forwarding.terms.zone)]

    async def conflicts(request: Request) -> Response:
        return JSONResponse({**status(forwarding), "conflicts": found(request)})

    async def as_file(request: Request) -> Response:
        return Response(as_csv(found(request)), media_type="text/csv; charset=utf-8")

    return [Route("/conflicts", conflicts), Route("/conflicts.csv", as_file)]


def status(forwarding: Forwarding) -> dict[str, object]:
    """For /health: whether the library system is there, since when not, and how much waits."""
    since = forwarding.breaker.away_since
    return {
        "library_system": forwarding.breaker.state == "closed",
        "away_since": since.isoformat(timespec="seconds") if since else None,
        "waiting": len(forwarding.state.waiting),
        "oldest_waiting": next((one.at for one in forwarding.state.waiting.values()), None),
        "open_conflicts": len(forwarding.state.conflicts),
    }
