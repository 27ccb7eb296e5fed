"""A Sickle that keeps its connection, waits as it is told, tries again within bounds, and hands over pages that were taken strictly.

Sickle's own extension points are used: `harvest` is overridden, and the iterator is ours (`lists.py`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from urllib.parse import urlencode

import requests
from requests.utils import get_environ_proxies
from sickle import Sickle
from sickle.iterator import BaseOAIIterator
from sickle.response import OAIResponse

from connectors.oai_pmh.harvest.page import BadPage, Page, page_of
from connectors.oai_pmh.harvest.record import headers
from connectors.oai_pmh.harvest.waiting import RETRY, Waiting, retry_after
from connectors.oai_pmh.settings import Polite, Quirks
from include.engine import clock
from include.engine.errors import Refused, Unreachable
from include.engine.reasons import words

log = logging.getLogger("bindery.oai")
_BLOCK = 1 << 18


class Faulty(Unreachable):
    """The repository goes on answering with an error of its own (5xx) to one request: what is asked for may be what it cannot serve.

    `body` is what it said.
    """

    code = "OAI_SERVER_ERROR"
    body: bytes = b""


class Answer(OAIResponse):  # type: ignore[misc]
    """A page with the bytes as they came: Sickle's response, parsed our way. `uri` is what was asked, without secrets."""

    def __init__(self, http_response: requests.Response, params: Mapping[str, str], content: bytes, uri: str, at: datetime) -> None:
        super().__init__(http_response, params)
        self.content, self.uri, self.at = content, uri, at
        self.page: Page = page_of(content, params["verb"])

    @cached_property
    def stamps(self) -> list[tuple[bytes, bytes]]:
        """(identifier, datestamp) of every record of the page."""
        return list(headers(self.page))

    @property
    def raw(self) -> str:
        """The page as text."""
        return self.page.text.utf8.decode("utf-8", "replace")

    @property
    def xml(self) -> object:
        """What stands around the records, parsed strictly."""
        return self.page.rest


@dataclass
class Asked:
    """What the client has done so far."""

    requests: int = 0
    bytes: int = 0
    repeated: int = 0
    waited: float = 0.0


class Client(Sickle):  # type: ignore[misc]
    """A repository at `url`. Raises Unreachable (Faulty for a server's own error) once its attempts are used up, Refused for an answer that no
    other attempt will change."""

    def __init__(
        self,
        url: str,
        session: requests.Session,
        iterator: type[BaseOAIIterator],
        *,
        polite: Polite | None = None,
        quirks: Quirks | None = None,
        waiting: Waiting | None = None,
    ) -> None:
        self.quirks = quirks or Quirks()
        super().__init__(url, http_method="POST" if self.quirks.post else "GET", iterator=iterator)
        self.session, self.polite = session, polite or Polite()
        # What the environment says of proxies is looked up once: requests would go through all of it twice with each page.
        session.proxies, session.trust_env = get_environ_proxies(url), False
        self.waiting = waiting or Waiting(self.polite)
        self.asked = Asked()
        self.attempts = self.polite.attempts

    def harvest(self, **params: str) -> Answer:
        """One page, as `ask` gets it."""
        return self.ask(params, self.attempts)

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Inside, one second attempt is enough: it is known already that something cannot be served."""
        before, self.attempts = self.attempts, min(2, self.attempts)
        try:
            yield
        finally:
            self.attempts = before

    def ask(self, params: Mapping[str, str], attempts: int) -> Answer:
        """One page, asked for at most `attempts` times. A wait that the server asks for is kept to, unless it is longer than we may wait."""
        number = 1
        while True:
            try:
                return self._attempt(params)
            except _TryAgain as trouble:
                wait = trouble.after if trouble.after is not None else self.waiting.before_attempt(number + 1)
                longest = self.polite.longest_wait.total_seconds()
                if number >= attempts or wait > longest:
                    raise trouble.error from None
                log.warning("%s; asked again in %.0f s (attempt %d of %d)", trouble.error, wait, number + 1, attempts)
                self.asked.repeated += 1
                self.asked.waited += wait
                self.waiting.rest(wait)
                number += 1

    def _attempt(self, params: Mapping[str, str]) -> Answer:
        self.waiting.turn()
        uri, at = f"{self.endpoint}{'&' if '?' in self.endpoint else '?'}{self._query(params)}", clock.now()
        try:
            response = self._send(params)
            with response:
                content = self._content(response)
        except requests.exceptions.TooManyRedirects:
            raise self._refused("OAI_HTTP_STATUS", value="too many redirects") from None
        except (requests.exceptions.SSLError, requests.exceptions.InvalidURL, requests.exceptions.MissingSchema) as error:
            raise _TryAgain(self._unreachable("OAI_UNREACHABLE", value=type(error).__name__)) from None
        except (requests.exceptions.RequestException, OSError) as error:
            raise _TryAgain(self._unreachable("OAI_UNREACHABLE", value=type(error).__name__)) from None
        self.asked.bytes += len(content)
        if response.status_code >= 400:
            raise self._status(response, content)
        try:
            return Answer(response, params, content, uri, at)
        except BadPage as bad:
            raise _TryAgain(
                Unreachable(bad.what, where=self.endpoint, do="A later try asks for this page again.", code=bad.code, values=bad.values)
            ) from None

    def _send(self, params: Mapping[str, str]) -> requests.Response:
        self.asked.requests += 1
        verify = self.session.verify  # said with each request: requests would take REQUESTS_CA_BUNDLE before the session's own
        timeout = (min(30.0, self.polite.timeout.total_seconds()), self.polite.timeout.total_seconds())
        if self.http_method == "POST":
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            return self.session.post(self.endpoint, data=self._query(params), headers=form, stream=True, timeout=timeout, verify=verify)
        joint = "&" if "?" in self.endpoint else "?"
        return self.session.get(f"{self.endpoint}{joint}{self._query(params)}", stream=True, timeout=timeout, verify=verify)

    def _query(self, params: Mapping[str, str]) -> str:
        if not self.quirks.raw_token or "resumptionToken" not in params:
            return urlencode(params)
        others = urlencode({name: value for name, value in params.items() if name != "resumptionToken"})
        return f"{others}&resumptionToken={params['resumptionToken']}"

    def _content(self, response: requests.Response) -> bytes:
        """The unpacked body, whole: a server that sends a byte now and then is not waited for without end."""
        found = bytearray()
        until = time.monotonic() + max(600.0, 5 * self.polite.timeout.total_seconds())
        for block in response.iter_content(_BLOCK):
            found += block
            if len(found) > self.polite.largest_page:
                raise self._refused("OAI_PAGE_TOO_LARGE", limit=self.polite.largest_page)
            if time.monotonic() > until:
                raise TimeoutError
            self.waiting.alive()
        return bytes(found)

    def _status(self, response: requests.Response, content: bytes) -> Exception:
        status = response.status_code
        if status not in RETRY:
            return self._refused("OAI_HTTP_STATUS", value=str(status))
        if status >= 500 and status != 503:
            faulty = Faulty(words("OAI_SERVER_ERROR", "en", value=status), where=self.endpoint, values={"value": str(status)})
            faulty.body = content[:65536]
            return _TryAgain(faulty, retry_after(response.headers))
        return _TryAgain(self._unreachable("OAI_BUSY", value=str(status)), retry_after(response.headers))

    def _unreachable(self, code: str, **values: object) -> Unreachable:
        return Unreachable(
            words(code, "en", **values), where=self.endpoint, do="A later try goes on where this one was.", code=code, values=values
        )

    def _refused(self, code: str, **values: object) -> Refused:
        return Refused(words(code, "en", **values), where=self.endpoint, code=code, values=values)


class _TryAgain(Exception):
    """`error` unless another attempt does better; `after` so many seconds, where the server says so."""

    def __init__(self, error: Unreachable, after: float | None = None) -> None:
        super().__init__(str(error))
        self.error, self.after = error, after
