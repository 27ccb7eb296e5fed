"""One delivery's harvest: its windows, one after the other, each page durable before long; a try that follows another goes on after its pages."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time
from typing import Any, Protocol

from connectors.oai_pmh.harvest.client import Answer, Client, Faulty
from connectors.oai_pmh.harvest.connection import address, session
from connectors.oai_pmh.harvest.identity import Identity, identify
from connectors.oai_pmh.harvest.lists import Pages, TokenRefused
from connectors.oai_pmh.harvest.progress import Progress
from connectors.oai_pmh.harvest.times import floor, halves, moment, stamp
from connectors.oai_pmh.harvest.waiting import Waiting
from connectors.oai_pmh.settings import OaiHarvest
from include.engine import clock
from include.engine.ahead import ahead
from include.engine.errors import Refused, Unreachable
from include.engine.failpoints import point
from include.engine.reasons import words
from include.engine.storage.warc import Page

log = logging.getLogger("bindery.oai")
SUMMARY = "urn:bindery:harvest"
"""The URI of the page that stands before all others: what the harvest counted."""
LISTED, COMPARED = "list", "compare"
"""How a page came: of a window's list, or of a comparison's; others are of stretches and single records. Only lists go on by a token."""
_MOST_RESTARTS = 5
_FEW = 300  # so many records are rather fetched one by one than in ever smaller stretches
_UNSERVED = 100  # records in a row that cannot be served: then it is the server that is ill


class Sink(Protocol):
    """Where pages go: durable parts of a delivery, or a file."""

    def add(self, page: Page, /) -> None:
        """Take a page."""
        ...


class Stretch(Protocol):
    """What of a series is asked for; None where it has no end on that side."""

    @property
    def series(self) -> str: ...
    @property
    def from_at(self) -> datetime | None: ...
    @property
    def until_at(self) -> datetime | None: ...


class Harvest:
    """One try. `progress` is by series, and holds what earlier tries have brought."""

    def __init__(self, pages: Sink, flow: OaiHarvest, client: Client, identity: Identity, progress: dict[str, Progress]) -> None:
        self.pages, self.flow, self.client, self.identity, self.progress = pages, flow, client, identity, progress
        self.granularity, self.since = identity.granularity, since_of(flow)

    def window(self, window: Stretch) -> None:
        """Fetch what is missing of a window."""
        progress = self.progress[window.series]
        if progress.way == "narrow":
            self.narrow(progress, *self.stretch(window))
        elif progress.token != "":
            self.listed(window, progress)

    def listed(self, window: Stretch, progress: Progress) -> None:
        """The window's list, from its beginning or from the token of the last kept page. A token that is refused begins it anew."""
        begin, refused, gained, whole = window.from_at, 0, progress.unique, progress.lists <= 1
        while True:
            try:
                self.keep_all(progress, "ListRecords", self.asked(window.series, begin, window.until_at), LISTED)
            except TokenRefused:
                refused = refused + 1 if progress.unique <= gained else 0
                if refused > 1 or progress.lists > _MOST_RESTARTS:
                    raise
                gained, progress.token = progress.unique, None
                begin = self._again_from(window, progress)
                whole = begin == window.from_at
                log.warning("%s: its token was refused; the list is asked for again from %s", window.series, begin or "the beginning")
                continue
            except Faulty as fault:
                log.warning("%s: %s; narrowed", window.series, fault)
                self.narrow(progress, *self.stretch(window))
                return
            if not whole and progress.size is not None and progress.unique < progress.size and not self.client.quirks.ordered:
                begin, whole, progress.token = window.from_at, True, None  # the short cut missed something
                continue
            return

    def _again_from(self, window: Stretch, progress: Progress) -> datetime | None:
        """Where a list begins anew. The last stored datestamp will do where datestamps have ascended, and a count can tell afterwards whether all came."""
        last = moment(progress.last.decode("ascii", "replace"))
        several = progress.last != progress.first
        sure = self.client.quirks.ordered or (progress.ordered and several and progress.size is not None)
        if last is None or not sure:
            return window.from_at
        return max(last, window.from_at) if window.from_at else last

    def keep_all(self, progress: Progress, verb: str, params: dict[str, str], way: str) -> None:
        """Every page of a list into the kept ones; the next is asked for while this one is packed. A list that was begun goes on with its token."""
        if progress.token:
            params = {"resumptionToken": progress.token} | (
                {"metadataPrefix": self.flow.prefix} if self.client.quirks.prefix_with_token else {}
            )
        else:
            progress.begin()

        def answers() -> Iterator[Answer]:
            yield from self.client.ListIdentifiers(**params) if verb == "ListIdentifiers" else self.client.ListRecords(**params)

        with ahead(answers()) as pages:
            for answer in pages:
                self.keep(progress, answer, verb, way)
        progress.token = ""

    def keep(self, progress: Progress, answer: Answer, verb: str, way: str) -> None:
        """One page."""
        point("pull.page")
        progress.add(
            answer.stamps, token=answer.page.token if way in {LISTED, COMPARED} else None, size=answer.page.complete_list_size, way=way
        )
        fields = {
            "Series": progress.series,
            "Verb": verb,
            "List": str(progress.lists),
            "Way": way,
            "Strict": "yes" if answer.page.strict else "no",
        }
        self.pages.add(Page(answer.uri, answer.at, answer.content, fields=fields))

    def unserved(self, progress: Progress, identifier: str, why: str, said: bytes, code: str) -> None:
        """A record that the repository names and does not give: its name, and what was said instead, are kept in its place."""
        progress.add([(identifier.encode(), b"")], token=None, size=None, way=progress.way)
        progress.faults += 1
        fields = {"Series": progress.series, "Verb": "GetRecord", "List": str(progress.lists), "Way": progress.way}
        fields |= {"Fault": code, "Identifier": " ".join(identifier.split()), "Detail": " ".join(why.split())[:300]}
        uri = f"{self.client.endpoint}?verb=GetRecord"
        self.pages.add(Page(uri, clock.now(), said or identifier.encode(), "application/octet-stream", fields))

    def asked(self, series: str, begin: datetime | None, until: datetime | None) -> dict[str, str]:
        """The arguments of a list of this series."""
        params = {"metadataPrefix": self.flow.prefix}
        if series != self.flow.prefix:
            params["set"] = series.partition(" ")[2]
        if begin is not None:
            params["from"] = stamp(begin, self.granularity)
        if until is not None and not self.client.quirks.no_until:
            params["until"] = stamp(until, self.granularity)
        return params

    def stretch(self, window: Stretch) -> tuple[datetime, datetime]:
        """The window with both its ends."""
        begin = window.from_at or self.identity.earliest
        if begin is None:
            values = {"value": "Identify: no earliestDatestamp"}
            raise Refused(words("OAI_ERROR", "en", **values), where=self.client.endpoint, code="OAI_ERROR", values=values)
        return begin, window.until_at or self.identity.at

    def narrow(self, progress: Progress, first: datetime, last: datetime) -> None:
        """A stretch of which the repository cannot serve some record, in halves until what is left is few enough to go by identifiers."""
        progress.way, progress.token = "narrow", None
        with self.client.impatient():
            identify(self.client)  # a server that cannot say even this is down, and nothing is narrowed
            self._narrowed(progress, first, last)

    def _narrowed(self, progress: Progress, first: datetime, last: datetime) -> None:
        # A repository that takes no `until` lists each half to the present: the record that it cannot serve would be in all of them.
        parts = None if self.client.quirks.no_until else halves(first, last, self.granularity)
        few = None if self.client.quirks.no_identifiers and parts else self._few(progress, first, last, all_of_them=parts is None)
        if few is not None:
            self.one_by_one(progress, few)
            return
        for part in parts or ():
            try:
                progress.token = None
                self._in_whole(progress, *part)
            except Faulty:
                self._narrowed(progress, *part)

    def _in_whole(self, progress: Progress, first: datetime, last: datetime) -> None:
        for attempt in range(3):
            try:
                return self.keep_all(progress, "ListRecords", self.asked(progress.series, first, last), "narrow")
            except TokenRefused:
                progress.token = None
                if attempt == 2:
                    raise
        return None

    def _few(self, progress: Progress, first: datetime, last: datetime, *, all_of_them: bool) -> list[str] | None:
        """The identifiers of a stretch, if they are few; None if there are many."""
        found: list[str] = []
        for answer in self.client.ListIdentifiers(**self.asked(progress.series, first, last)):
            found += [identifier.decode("utf-8", "replace") for identifier, _ in answer.stamps]
            if not all_of_them and (len(found) > _FEW or answer.page.token):
                return None
        return found

    def one_by_one(self, progress: Progress, identifiers: list[str], *, again: bool = False) -> None:
        """Records by GetRecord. One that the repository cannot serve is set aside by name; the others come in."""
        ill = 0
        for identifier in identifiers:
            if not again and progress.has(identifier.encode()):
                continue
            params = {"verb": "GetRecord", "identifier": identifier, "metadataPrefix": self.flow.prefix}
            try:
                answer = self.client.harvest(**params)
            except Faulty as fault:
                identify(self.client)  # a server that cannot say even this is down: no record of it is to blame
                ill += 1
                if ill >= _UNSERVED:
                    raise
                self.unserved(progress, identifier, fault.what, fault.body, "OAI_RECORD_UNSERVED")
                continue
            except Unreachable as trouble:
                if not trouble.code.startswith("OAI_PAGE_"):  # nobody there, busy, or no longer ours to ask: that is no record's fault
                    raise
                self.unserved(progress, identifier, trouble.what, b"", "OAI_RECORD_UNSERVED")
                continue
            ill = 0
            if answer.page.error is None:
                self.keep(progress, answer, "GetRecord", progress.way)
            elif answer.page.error[0] != "cannotDisseminateFormat":
                self.unserved(progress, identifier, ": ".join(answer.page.error), b"", "OAI_RECORD_REFUSED")

    def summary(self, kind: str, **more: Any) -> Page:
        """What was counted, as a page that stands before the others: so the kept bytes tell it by themselves."""
        told: dict[str, Any] = {"kind": kind, "repository": self.identity.plain()}
        told["series"] = {name: one.figures() for name, one in self.progress.items()}
        told |= {"requests": self.client.asked.requests, "repeated": self.client.asked.repeated, **more}
        return Page(SUMMARY, clock.now(), json.dumps(told, ensure_ascii=False).encode(), "application/json")


@contextmanager
def client_of(flow: OaiHarvest, credentials: Any, waiting: Waiting) -> Iterator[Client]:
    """A client of the flow's repository, with its connection's credentials."""
    connection = credentials.get(flow.connection) if flow.connection else None
    with session(connection, gzip=flow.quirks.gzip) as opened:
        yield Client(address(flow.url, connection), opened, Pages, polite=flow.polite, quirks=flow.quirks, waiting=waiting)


def since_of(flow: OaiHarvest) -> datetime | None:
    """The moment before which nothing is asked for; None where there is none."""
    return datetime.combine(flow.since, time(), UTC) if flow.since else None


def floored(at: datetime | None, identity: Identity) -> datetime | None:
    """The moment as the repository can say it."""
    return None if at is None else floor(at, identity.granularity)
