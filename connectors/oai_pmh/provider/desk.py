"""Where requests are answered, each thread with its own connection to the index: bytes in, an HTTP answer out."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from connectors.oai_pmh.provider import index, lists, requests
from connectors.oai_pmh.provider.answers import answer
from connectors.oai_pmh.provider.lists import Shelf
from connectors.oai_pmh.provider.repository import Repository
from connectors.oai_pmh.provider.requests import OaiError
from connectors.oai_pmh.provider.xml import document, refusal, stamp
from include.engine.errors import BinderyError, Unreachable

XML = ("content-type", "text/xml; charset=utf-8")
_SMALL = 1000  # bytes below which gzip gains nothing
_LEVEL = 1  # lists are sent once: time counts, not the last percent


@dataclass(frozen=True)
class Reply:
    """An HTTP answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = field(repr=False, default=b"")


class Desk:
    """Answers requests from an index that another process keeps. Any number of threads may ask at once."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._own = threading.local()

    def harvest(self, query: bytes, gzip: bool, none_match: str) -> Reply:
        """The answer to a query string or form. `none_match` is the header If-None-Match. Raises BinderyError when the index cannot be read."""
        verb, url = "", self.repository.base_url
        try:
            connection, shelves = self._connected()
            try:
                asked = requests.read(requests.pairs(query))
                verb = asked.verb
                found = answer(self.repository, connection, shelves, asked)
            except OaiError as error:
                dated = int(time.time()) if error.dated is None else error.dated
                return _reply(refusal(url, dated, verb, error), gzip, [])
            etag = f'W/"{found.tag}"'
            headers = [("etag", etag), ("cache-control", "no-cache"), ("vary", "accept-encoding")]
            if etag in (part.strip() for part in none_match.split(",")):
                return Reply(304, headers)
            return _reply(document(url, found.dated, verb, asked.arguments, found.parts), gzip, headers)
        except sqlite3.DatabaseError as error:
            self._forget()
            raise index.damaged(self.repository.index, error) from error

    def health(self) -> Reply:
        """200 while there is something to serve, else 503; what there is, and when the lake was last looked at."""
        try:
            connection, _ = self._connected()
            facts = index.meta(connection)
            [(last, records)] = connection.execute(
                "SELECT (SELECT max(datestamp) FROM batch), (SELECT ifnull(sum(records), 0) FROM tally JOIN listing ON id = listing WHERE spec = '')"
            )
            said = {
                "status": "ok",
                "records": records,
                "newest": stamp(last) if last else None,
                "looked": facts.get("looked"),
                "lake_version": int(facts["version"]) if facts.get("version") else None,
                "trouble": facts.get("trouble") or None,
            }
            return Reply(200, [("content-type", "application/json")], json.dumps(said).encode())
        except (BinderyError, sqlite3.DatabaseError) as error:
            self._forget()
            code = error.code if isinstance(error, BinderyError) else "OAI_INDEX_DAMAGED"
            return Reply(503, [("content-type", "application/json")], json.dumps({"status": "not ready", "trouble": code}).encode())

    def _connected(self) -> tuple[sqlite3.Connection, Callable[[int], Shelf]]:
        """This thread's connection, and the shelves that it has seen; Unreachable until the index is whole for the first time."""
        inode = _inode(self.repository.index)
        if hasattr(self._own, "found") and self._own.inode != inode:  # made anew: this thread must not go on with the one that was removed
            self._forget()
        if not hasattr(self._own, "found"):
            connection = index.connect(self.repository.index)
            if "looked" not in index.meta(connection):
                connection.close()
                raise Unreachable("the provider's index is being made.", do="Ask again in a while.", code="OAI_INDEX_MISSING")
            seen: dict[int, Shelf] = {}

            def shelves(id: int) -> Shelf:
                if id not in seen:
                    seen[id] = lists.shelf(connection, id)
                return seen[id]

            self._own.found, self._own.inode = (connection, shelves), inode
        found: tuple[sqlite3.Connection, Callable[[int], Shelf]] = self._own.found
        return found

    def _forget(self) -> None:
        """Begin anew with the next request: the index may have been replaced."""
        if hasattr(self._own, "found"):
            with suppress(sqlite3.Error):
                self._own.found[0].close()
            del self._own.found


def _inode(file: Path) -> int:
    """Which file lies there now; 0 for none. One that is open somewhere keeps its number to itself."""
    try:
        return file.stat().st_ino
    except OSError:
        return 0


def _reply(body: bytes, gzip: bool, headers: list[tuple[str, str]]) -> Reply:
    if not gzip or len(body) < _SMALL:
        return Reply(200, [XML, *headers], body)
    packed = zlib.compressobj(_LEVEL, wbits=zlib.MAX_WBITS | 16)
    return Reply(200, [XML, ("content-encoding", "gzip"), *headers], packed.compress(body) + packed.flush())


def takes_gzip(accepted: str) -> bool:
    """Whether Accept-Encoding allows gzip (RFC 9110 section 12.5.3)."""
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, rest = part.partition(";")
        quality = rest.strip().removeprefix("q=") if rest.strip().startswith("q=") else "1"
        with suppress(ValueError):
            weights[name.strip()] = float(quality)
    return weights.get("gzip", weights.get("*", 0.0)) > 0
