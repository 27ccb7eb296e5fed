"""Calls to one org: logged in once and again when the session is gone, tried again where that is safe, and stopped before its limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceError
from simple_salesforce.util import call_salesforce

from connectors.crm.salesforce.login import login
from connectors.crm.trouble import kind, refused, unreachable
from include.engine.credentials import Connection
from include.engine.errors import Refused, Unreachable

TRIES = 4
SERVER_TROUBLE = frozenset({500, 502, 503, 504})


@dataclass
class Org:
    """`reserve` is the share (0..1) of the day's calls that is left to others. `pause` (s) grows with each try of a call."""

    connection: Connection
    reserve: float = 0.1
    pause: float = 2.0
    sleep: Callable[[float], None] = time.sleep
    _client: Salesforce | None = field(default=None, repr=False)
    _usage: tuple[int, int] = (0, 0)
    _user: str = ""

    @property
    def client(self) -> Salesforce:
        """The client, logged in at its first use."""
        if self._client is None:
            self._client = login(self.connection)
        return self._client

    def call(self, method: str, path: str, *, again: bool = True, **how: Any) -> requests.Response:
        """One call of `path` (below /services/data/vNN.N/, or a whole path from the org's root).

        A session that has ended is renewed, once a call. With `again` (what may be done twice) server trouble is tried TRIES times.
        Raises Refused CRM_CALL_REFUSED, Unreachable (CRM_LIMIT where the org's calls are used up).
        """
        self._spare_the_limit()
        for number in range(1, TRIES + 1):
            try:
                return self._once(method, path, **how)
            except Unreachable as trouble:
                if not again or number == TRIES or trouble.code == "CRM_LIMIT":
                    raise
                self.sleep(self.pause * 2 ** (number - 1))
        raise AssertionError

    def _once(self, method: str, path: str, *, renewed: bool = False, **how: Any) -> requests.Response:
        client = self.client
        url = f"https://{client.sf_instance}{path}" if path.startswith("/") else client.base_url + path
        headers = {"Authorization": f"Bearer {client.session_id}", "Content-Type": "application/json", **how.pop("headers", {})}
        try:
            answer = call_salesforce(url, method, client.session, dict(headers), **how)
        except SalesforceError as error:
            if error.status == 401 and not renewed:
                self._client = None
                headers.pop("Authorization")
                return self._once(method, path, renewed=True, headers=headers, **how)
            raise self._said(error) from None
        except requests.RequestException as error:
            raise unreachable(self.connection.id, kind(error)) from None
        self._note_usage(answer)
        return answer

    def _said(self, error: SalesforceError) -> Refused | Unreachable:
        code = code_of(error.content)
        if error.status == 403 and code == "REQUEST_LIMIT_EXCEEDED":
            return unreachable(self.connection.id, "REQUEST_LIMIT_EXCEEDED", "CRM_LIMIT")
        if error.status in SERVER_TROUBLE or error.status == 429:
            return unreachable(self.connection.id, f"status {error.status}")
        if error.status == 401:
            return unreachable(self.connection.id, "a session that ends at once")
        return refused("CRM_CALL_REFUSED", self.connection.id, value=f"{error.status} {code}")

    def _note_usage(self, answer: requests.Response) -> None:
        """`Sforce-Limit-Info: api-usage=1024/15000`."""
        used, _, most = answer.headers.get("Sforce-Limit-Info", "").partition("api-usage=")[2].partition("/")
        if used.isdecimal() and most.split(";")[0].split(",")[0].isdecimal():
            self._usage = int(used), int(most.split(";")[0].split(",")[0])

    def _spare_the_limit(self) -> None:
        used, most = self._usage
        if most and used > most * (1 - self.reserve):
            raise unreachable(self.connection.id, f"{used:,} of {most:,} calls of the day used", "CRM_LIMIT")

    @property
    def user(self) -> str:
        """The id of the user who is logged in, asked for once."""
        if not self._user:
            self._user = str(self.call("GET", "/services/oauth2/userinfo").json()["user_id"])
        return self._user

    def query(self, soql: str, *, archived: bool = False) -> Iterator[dict[str, Any]]:
        """The rows of a query, page by page (`nextRecordsUrl`). `archived`: also what Salesforce has put away, such as closed tasks of more than a
        year ago, and what is in the bin (REST API, QueryAll)."""
        answer = self.call("GET", "queryAll" if archived else "query", params={"q": soql}).json()
        while True:
            yield from answer["records"]
            if answer.get("done") or not answer.get("nextRecordsUrl"):
                return
            answer = self.call("GET", answer["nextRecordsUrl"]).json()


def code_of(content: Any) -> str:
    """The errorCode of an answer; "" for one in another shape."""
    first = content[0] if isinstance(content, list) and content else content
    found = first.get("errorCode") or first.get("error") if isinstance(first, dict) else ""
    return str(found or "")


def literal(value: str) -> str:
    """A text in SOQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
