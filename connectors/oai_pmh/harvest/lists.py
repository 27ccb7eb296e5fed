"""A list, page by page: when it goes on, when it ends, and when a repository runs in circles (OAI-PMH 2.0, 3.5)."""

from __future__ import annotations

import hashlib
from typing import Any

from sickle.iterator import BaseOAIIterator

from connectors.oai_pmh.harvest.client import Answer, Client
from include.engine.errors import Refused, Unreachable
from include.engine.reasons import words


class TokenRefused(Unreachable):
    """The repository does not know its own resumption token (any more): the list must be asked for anew."""

    code = "OAI_TOKEN_REFUSED"


class Pages(BaseOAIIterator):  # type: ignore[misc]
    """The answers of a list, in order. It ends with a page without token, with an empty one, or with noRecordsMatch, which is an empty list.

    A token is never asked for again after its page has come. Raises TokenRefused; Unreachable OAI_TOKEN_REPEATED, OAI_PAGE_REPEATED when the
    list would never end; Refused OAI_ERROR for what the repository says against the request itself.
    """

    def __init__(self, sickle: Client, params: dict[str, str], ignore_deleted: bool = False) -> None:
        self._tokens: set[bytes] = set()
        self._pages: set[bytes] = set()
        self._empty = 0
        self._next: Answer | None = None
        self.resumption_token: str | None = None
        super().__init__(sickle, params, ignore_deleted)

    def next(self) -> Answer:
        """The next page; StopIteration at the end of the list."""
        if self._next is None and self.resumption_token:
            self._next_response()
        if self._next is None:
            raise StopIteration
        found, self._next = self._next, None
        return found

    def _next_response(self) -> None:
        token: str = self.resumption_token or ""
        params = self._after(token) if token else dict(self.params)
        answer: Answer = self.sickle.harvest(**params)
        self.resumption_token = None
        if answer.page.error is not None:
            self._error(*answer.page.error, resumed="resumptionToken" in params)
            return
        self._circles(answer, token or params.get("resumptionToken", ""))
        self.resumption_token = answer.page.token
        self._next = answer

    def _after(self, token: str) -> dict[str, str]:
        params = {"verb": self.verb, "resumptionToken": token}
        if self.sickle.quirks.prefix_with_token and "metadataPrefix" in self.params:
            params["metadataPrefix"] = self.params["metadataPrefix"]
        return params

    def _error(self, code: str, message: str, *, resumed: bool) -> None:
        values: dict[str, Any] = {"value": f"{code}: {message}"}
        if code == "noRecordsMatch":  # an empty list; after a token: its end
            return
        if code == "badResumptionToken" or (resumed and code == "badArgument"):
            raise TokenRefused(words("OAI_TOKEN_REFUSED", "en"), where=self.sickle.endpoint, do="The list is asked for anew.")
        raise Refused(words("OAI_ERROR", "en", **values), where=self.sickle.endpoint, code="OAI_ERROR", values=values)

    def _circles(self, answer: Answer, asked: str) -> None:
        """A token that comes again, a page that comes again, one empty page after the other: such a list has no end."""
        token = answer.page.token
        if not token:
            return
        here = hashlib.sha256(token.encode()).digest()
        if asked:
            self._tokens.add(hashlib.sha256(asked.encode()).digest())
        if here in self._tokens and not self.sickle.quirks.same_token:
            raise self._endless("OAI_TOKEN_REPEATED")
        self._empty = 0 if len(answer.page) else self._empty + 1
        content = hashlib.sha256(b"\n".join(b"%s %s" % pair for pair in answer.stamps)).digest()
        if self._empty > 1 or (len(answer.page) and content in self._pages):
            raise self._endless("OAI_PAGE_REPEATED")
        self._pages.add(content)

    def _endless(self, code: str) -> Unreachable:
        return Unreachable(words(code, "en"), where=self.sickle.endpoint, do="Tell who runs the repository.", code=code)
