"""Logins to Koha: OAuth2 client credentials (POST /oauth/token), or HTTP Basic where the site allows that alone (RESTBasicAuth)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from time import monotonic

import httpx

from connectors.circulation.backend import Away
from include.engine.credentials import Connection

BEFORE_SECONDS = 60.0
"""A token is renewed so long before it expires."""


class OAuth2:
    """A token for all calls, fetched once for everybody who waits."""

    def __init__(self, connection: Connection, *, now: Callable[[], float] = monotonic) -> None:
        self._connection, self._now = connection, now
        self._token, self._until = "", 0.0
        self._lock = asyncio.Lock()

    async def headers(self, http: httpx.AsyncClient) -> Mapping[str, str]:
        """See Login."""
        async with self._lock:
            if not self._token or self._now() >= self._until:
                form = {"grant_type": "client_credentials", "client_id": self._connection.login, "client_secret": self._connection.password}
                answer = await http.post("/api/v1/oauth/token", data=form, timeout=5.0)
                if answer.status_code != 200:
                    raise Away(
                        f"Koha gave no token ({answer.status_code})",
                        do="Check the client id and secret, and the preference RESTOAuth2ClientCredentials.",
                    )
                found = answer.json()
                self._token, self._until = found["access_token"], self._now() + float(found.get("expires_in", 3600)) - BEFORE_SECONDS
        return self._shown()

    def forget(self, shown: Mapping[str, str]) -> None:
        """See Login."""
        if shown == self._shown():
            self._token = ""

    def _shown(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._token}"}


class Basic:
    """Login and password with each call."""

    def __init__(self, connection: Connection) -> None:
        pair = base64.b64encode(f"{connection.login}:{connection.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {pair}"}

    async def headers(self, http: httpx.AsyncClient) -> Mapping[str, str]:
        """See Login."""
        return self._headers

    def forget(self, shown: Mapping[str, str]) -> None:
        """See Login: there is nothing to fetch anew."""
