"""FOLIO's login with expiry (POST /authn/login-with-expiry): the access token comes as a cookie and lives ten minutes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from time import monotonic

import httpx

from connectors.circulation.backend import Away
from include.engine.credentials import Connection

COOKIE = "folioAccessToken"
BEFORE_SECONDS = 90.0
"""A token is renewed so long before it expires, as folio-org/edge-sip2 does."""


class TokenLogin:
    """A token for all calls, fetched once for everybody who waits. It is shown as X-Okapi-Token, which Kong's sidecars take too."""

    def __init__(self, connection: Connection, tenant: str) -> None:
        self._connection, self._tenant = connection, tenant
        self._token, self._until = "", 0.0
        self._lock = asyncio.Lock()

    async def headers(self, http: httpx.AsyncClient) -> Mapping[str, str]:
        """See remote.http.Login."""
        async with self._lock:
            if not self._token or monotonic() >= self._until:
                body = {"username": self._connection.login, "password": self._connection.password}
                answer = await http.post("/authn/login-with-expiry", json=body, headers={"X-Okapi-Tenant": self._tenant}, timeout=5.0)
                token = answer.cookies.get(COOKIE)
                http.cookies.clear()  # the token goes in its header alone
                if answer.status_code != 201 or not token:
                    raise Away(f"FOLIO gave no token ({answer.status_code})", do="Check the system user's name, password and tenant.")
                # The server's own clock says when it expires, so the difference is taken from the answer's Date where there is one.
                self._token, self._until = token, monotonic() + _seconds(answer) - BEFORE_SECONDS
        return self._shown()

    def forget(self, shown: Mapping[str, str]) -> None:
        """See remote.http.Login."""
        if shown == self._shown():
            self._token = ""

    def _shown(self) -> Mapping[str, str]:
        return {"X-Okapi-Token": self._token, "X-Okapi-Tenant": self._tenant}


def _seconds(answer: httpx.Response) -> float:
    """How long the token lives, at least two minutes: a clock that is wrong must not make a login of every call."""
    try:
        until = datetime.fromisoformat(answer.json()["accessTokenExpiration"])
        now = datetime.strptime(answer.headers["Date"], "%a, %d %b %Y %H:%M:%S %Z").replace(tzinfo=until.tzinfo)
    except (KeyError, ValueError):
        return 600.0
    return max((until - now).total_seconds(), 120.0)
