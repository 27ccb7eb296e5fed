"""Calls to a library system's REST interface: pooled connections, a budget for each kiosk message, one retry where it is safe.

What a failure means differs between questions and changes. A question that failed was not answered: Away. A change that failed after
it was sent may have been made: Unsure. Only a refused connection, a full pool and 429 are known to have changed nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Any, NamedTuple, Protocol

import httpx

from connectors.circulation.backend import Away, Unsure

log = logging.getLogger("bindery.circulation")
logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each URL, and questions have card numbers in theirs

CALL_SECONDS = 5.0
MESSAGE_SECONDS = 8.0
"""A kiosk waits some ten seconds for an answer (SIP2's time-out and retries); an answer that comes later is for nobody."""
CONNECT_SECONDS = 2.0
CONNECTIONS = 20
LARGEST = 32 << 20
"""Bytes of an answer: five hundred loans with their titles are two or three million."""
_deadline: ContextVar[float] = ContextVar("deadline")


class Reply(NamedTuple):
    """A status below 500 that is no 401 or 429, its body from JSON (a text where it is none), and its headers."""

    status: int
    data: Any
    headers: Mapping[str, str] = {}

    @property
    def ok(self) -> bool:
        return self.status < 300


class Login(Protocol):
    """How calls show who we are."""

    async def headers(self, http: httpx.AsyncClient) -> Mapping[str, str]:
        """The headers that show it. May raise httpx's errors, Away when the login is refused, ValueError and KeyError for an odd answer."""
        ...

    def forget(self, shown: Mapping[str, str]) -> None:
        """These headers were not accepted: get new ones, unless somebody else has them already."""
        ...


@contextmanager
def within(seconds: float = MESSAGE_SECONDS) -> Iterator[None]:
    """All calls inside end within so many seconds together; an outer budget that ends earlier counts."""
    token = _deadline.set(min(monotonic() + seconds, _deadline.get(float("inf"))))
    try:
        yield
    finally:
        _deadline.reset(token)


def left(seconds: float) -> float:
    """How long a step may take that takes `seconds` at most: no longer than the message has left."""
    return min(seconds, _deadline.get(float("inf")) - monotonic())


class Calls:
    """The connections to one system. `name` stands in errors and logs; no body and no query ever does."""

    def __init__(
        self,
        name: str,
        url: str,
        login: Login,
        *,
        headers: Mapping[str, str] | None = None,
        call_seconds: float = CALL_SECONDS,
        connections: int = CONNECTIONS,
        verify: bool | ssl.SSLContext = True,
    ) -> None:
        self._name, self._login, self._seconds = name, login, call_seconds
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=60)
        self._http = httpx.AsyncClient(base_url=url, headers=dict(headers or {}), limits=limits, verify=verify)

    async def ask(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        body: Mapping[str, Any] | None = None,
    ) -> Reply:
        """GET, or a POST that changes nothing (a PIN is checked with one). Asked once more when a kept connection turns out to be closed."""
        for last in (False, True):
            try:
                return await self._call("GET" if body is None else "POST", path, params, body, headers)
            except _Dropped as error:
                if last or not error.closed:
                    raise self._away(str(error)) from error
        raise AssertionError("unreachable")

    async def change(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """POST, PUT or DELETE. Unsure when it may have been done."""
        try:
            return await self._call(method, path, params, {} if body is None and method == "POST" else body, headers)
        except _Dropped as error:
            raise Unsure(
                f"{self._name} did not say whether it has done it: {error}", do="It is looked up before it is asked again."
            ) from error

    async def close(self) -> None:
        await self._http.aclose()

    async def _call(
        self, method: str, path: str, params: Mapping[str, str] | None, body: Mapping[str, Any] | None, headers: Mapping[str, str] | None
    ) -> Reply:
        for again in (True, False):
            answer = await self._sent(method, path, params, body, headers)
            if answer.status == 401 and again:
                self._login.forget(answer.shown)
            elif answer.status == 429 and again and await self._waited(answer):
                continue
            else:
                break
        if answer.status == 401:
            log.error("%s does not accept our login", self._name)
            raise self._away("it does not accept our login")
        if answer.status == 429:
            raise self._away("it is asked too often (429)")
        if answer.status >= 500:
            raise _Dropped(f"it answered {answer.status}")
        return Reply(answer.status, _data(answer), answer.headers)

    async def _sent(
        self, method: str, path: str, params: Mapping[str, str] | None, body: Mapping[str, Any] | None, headers: Mapping[str, str] | None
    ) -> _Answer:
        try:
            async with asyncio.timeout(left(self._seconds)):  # who waits for another's login waits no longer than for an answer
                shown = await self._login.headers(self._http)
        except (httpx.HTTPError, TimeoutError, ValueError, KeyError) as error:
            raise self._away(f"no login was had ({type(error).__name__})") from error
        seconds = left(self._seconds)
        if seconds <= 0:
            raise self._away("the time for this message is used up")
        # Each of httpx's time-outs is for one step, and a byte now and then would never end; so the whole has one, too.
        steps = httpx.Timeout(seconds, connect=min(0.9 * seconds, CONNECT_SECONDS), pool=0.9 * seconds)
        try:
            async with (
                asyncio.timeout(seconds),
                self._http.stream(method, path, params=params, json=body, headers={**(headers or {}), **shown}, timeout=steps) as answer,
            ):
                return _Answer(answer.status_code, answer.headers, await _body(answer), shown)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise self._away(f"no connection was had ({type(error).__name__})") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise _Dropped(type(error).__name__, closed=isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError)) from error

    async def _waited(self, answer: _Answer) -> bool:
        """Wait as long as the system wants us to (RFC 9110, 10.2.3), when there is time for it."""
        text = answer.headers.get("Retry-After", "")
        seconds = float(text) if text.isdecimal() else 0.5
        if seconds >= left(MESSAGE_SECONDS):
            return False
        await asyncio.sleep(seconds)
        return True

    def _away(self, why: str) -> Away:
        return Away(f"{self._name} does not answer: {why}", do="It is asked again in a while.")


class _Dropped(Exception):
    """The request was sent, and no answer can be relied on. `closed`: the connection was gone, perhaps before it arrived."""

    def __init__(self, why: str, *, closed: bool = False) -> None:
        super().__init__(why)
        self.closed = closed


class _Answer(NamedTuple):
    """An answer as it came, and the login that was shown for it."""

    status: int
    headers: httpx.Headers
    body: bytes
    shown: Mapping[str, str]


async def _body(answer: httpx.Response) -> bytes:
    found = bytearray()
    async for piece in answer.aiter_bytes():
        found += piece
        if len(found) > LARGEST:
            raise _Dropped(f"its answer is longer than {LARGEST:,} bytes")
    return bytes(found)


def _data(answer: _Answer) -> Any:
    """The body. Nobody who speaks JSON says "done" with a page for people, or with half an answer: that was a proxy, or it broke off."""
    kind = answer.headers.get("Content-Type", "")
    if "json" in kind and answer.body:
        try:
            return json.loads(answer.body)
        except ValueError as error:
            if answer.status < 300:
                raise _Dropped("its answer is no JSON") from error
    elif "html" in kind and answer.status < 300:
        raise _Dropped("its answer is a page for people")
    return answer.body.decode("utf-8", "replace")
