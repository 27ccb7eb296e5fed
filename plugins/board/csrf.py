"""Forms are answered only when this board has shown them: a token for the person and the day, and the browser's own word where it comes from."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from urllib.parse import urlsplit

from fastapi import HTTPException, Request

from include.engine import clock

FIELD, HEADER = "csrf_token", "x-csrf-token"
_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def token(secret: bytes, name: str, *, days_ago: int = 0) -> str:
    """The token of today for the person `name`. It also holds tomorrow, so that a page left open over midnight still works."""
    day = (clock.now() - timedelta(days=days_ago)).date().isoformat()
    return hmac.new(secret, f"board form {day} {name}".encode(), hashlib.sha256).hexdigest()


async def check(request: Request, secret: bytes, name: str) -> None:
    """403 for a request that changes something and does not come from a form of this board.

    The token is a field of the form, or the header X-CSRF-Token where a script sends a large body.
    """
    if request.method not in _UNSAFE:
        return
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise HTTPException(403, "the form comes from another site")
    origin = request.headers.get("origin")
    if origin and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "the form comes from another site")
    given = request.headers.get(HEADER) or await _field(request)
    if not any(hmac.compare_digest(given.encode(), token(secret, name, days_ago=days).encode()) for days in (0, 1)):
        raise HTTPException(403, "the form is out of date: load the page again")


async def _field(request: Request) -> str:
    """The token in a plain form. A form with files in it would be written to this machine's disk first, so it is not read at all."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return ""
    return str((await request.form()).get(FIELD, ""))
