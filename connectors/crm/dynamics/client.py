"""Calls to one Dataverse environment: a token from msal, waiting as long as the service asks for, never more at once than agreed.

Service protection limits of the Dataverse Web API: 6,000 requests and 1,200 s of work in 300 s, 52 at once; beyond them 429 with Retry-After.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import httpx
import msal  # type: ignore[import-untyped]
import requests

from connectors.crm.session import session_of
from connectors.crm.trouble import kind, login_failed, refused, unreachable
from include.engine.credentials import Connection
from include.engine.errors import SettingsError

API = "/api/data/v9.2/"
MICROSOFT = "https://login.microsoftonline.com"
TRIES = 6
LONGEST_WAIT = 300.0
"""Seconds: a service that asks for more is left alone until the task's next try."""
SECONDS = httpx.Timeout(120.0, connect=10.0)


@dataclass
class Environment:
    """`pause` (s) grows with each try of a call that the service gave no time for. May be used by several threads."""

    connection: Connection
    pause: float = 2.0
    sleep: Callable[[float], None] = time.sleep
    _http: httpx.Client | None = field(default=None, repr=False)
    _app: Any = field(default=None, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def base(self) -> str:
        """`https://org.crm4.dynamics.com`."""
        host = self.connection.host.removeprefix("https://").strip("/")
        if not host:
            raise SettingsError(f"the connection {self.connection.id} has no host.", do="Set it to the environment's, x.crm4.dynamics.com.")
        return f"https://{host}:{self.connection.port}" if self.connection.port else f"https://{host}"

    def call(
        self, method: str, path: str, *, content: bytes | None = None, headers: dict[str, str] | None = None, **how: Any
    ) -> httpx.Response:
        """One call below the API's root (or of a whole address, such as a next link). All calls of ours may be done twice.

        Raises Refused CRM_CALL_REFUSED, CRM_LOGIN_REFUSED, Unreachable (CRM_LIMIT where the service asks for more time than a task has).
        """
        url = path if path.startswith("https://") else self.base + API + path
        renewed = False
        for number in range(1, TRIES + 1):
            last = number == TRIES
            try:
                answer = self._client().request(method, url, content=content, headers={**self._headers(), **(headers or {})}, **how)
            except httpx.HTTPError as error:
                if last:
                    raise unreachable(self.connection.id, kind(error)) from None
                self.sleep(self.pause * 2 ** (number - 1))
                continue
            if answer.status_code == 401 and not renewed:
                renewed = True
                self._forget_token()
            elif answer.status_code in {429, 500, 502, 503, 504} and not last:
                self.sleep(self._wait(answer, number))
            else:
                return self._judged(answer)
        raise unreachable(self.connection.id, "no answer")

    def _wait(self, answer: httpx.Response, number: int) -> float:
        asked = answer.headers.get("Retry-After", "")
        seconds = float(asked) if asked.replace(".", "", 1).isdecimal() else self.pause * 2 ** (number - 1)
        if seconds > LONGEST_WAIT:
            raise unreachable(self.connection.id, f"a wait of {seconds:.0f} s", "CRM_LIMIT")
        return seconds

    def _judged(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code < 400:
            return answer
        if answer.status_code == 429:
            raise unreachable(self.connection.id, "too many requests", "CRM_LIMIT")
        if answer.status_code >= 500 or answer.status_code == 401:
            raise unreachable(self.connection.id, f"status {answer.status_code}")
        raise refused("CRM_CALL_REFUSED", self.connection.id, value=f"{answer.status_code} {code_of(answer)}")

    def rows(self, path: str, params: dict[str, str]) -> Iterator[dict[str, Any]]:
        """The rows of a query, page by page (`@odata.nextLink`)."""
        answer = self.call("GET", path, params=params, headers={"Prefer": "odata.maxpagesize=5000"}).json()
        while True:
            yield from answer["value"]
            if not (following := answer.get("@odata.nextLink")):
                return
            answer = self.call("GET", following, headers={"Prefer": "odata.maxpagesize=5000"}).json()

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self._token()}", "Accept": "application/json", "OData-MaxVersion": "4.0", "OData-Version": "4.0",
        }  # fmt: skip

    def _client(self) -> httpx.Client:
        with self._lock:
            if self._http is None:
                ca_file = self.connection.text("ca_file")
                trusted = ssl.create_default_context(cafile=ca_file or None)
                self._http = httpx.Client(verify=trusted, trust_env=False, timeout=SECONDS)
            return self._http

    def _token(self) -> str:
        """From msal's memory, or a login."""
        with self._lock:
            if self._app is None:
                self._app = self._application()
            try:
                found = self._app.acquire_token_for_client(scopes=[f"{self.base}/.default"])
            except (requests.RequestException, ValueError) as error:
                raise unreachable(self.connection.id, kind(error)) from None
        if "access_token" not in found:
            raise login_failed(self.connection.id, found.get("error"))
        return str(found["access_token"])

    def _application(self) -> Any:
        authority = (self.connection.text("authority") or MICROSOFT).rstrip("/")
        try:
            return msal.ConfidentialClientApplication(
                self.connection.login,
                client_credential=self.connection.password,
                authority=f"{authority}/{self.connection.text('tenant')}",
                instance_discovery=authority == MICROSOFT,  # only Microsoft's own addresses are known to its directory
                http_client=session_of(self.connection),
            )
        except (requests.RequestException, ValueError) as error:
            raise unreachable(self.connection.id, kind(error)) from None

    def _forget_token(self) -> None:
        with self._lock:
            if self._app is not None:
                self._app.remove_tokens_for_client()


def code_of(answer: httpx.Response) -> str:
    """The code of an OData error; "" for an answer in another shape."""
    try:
        return str(answer.json()["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""
