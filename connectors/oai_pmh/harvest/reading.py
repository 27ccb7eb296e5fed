"""The kept pages of a delivery into rows: `oai_record`, and the titles that its records become. Where a record came more than once, pages are read
twice: first for which coming counts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from connectors.oai_pmh.harvest.bind import Binding
from connectors.oai_pmh.harvest.columns import Bools
from connectors.oai_pmh.harvest.fetch import COMPARED, SUMMARY, since_of
from connectors.oai_pmh.harvest.gather import Records
from connectors.oai_pmh.harvest.held import Held
from connectors.oai_pmh.harvest.newest import Comings
from connectors.oai_pmh.harvest.page import Page, page_again, page_of
from connectors.oai_pmh.harvest.record import headers
from connectors.oai_pmh.harvest.times import moment
from connectors.oai_pmh.harvest.vanished import Listing
from connectors.oai_pmh.settings import OaiHarvest
from include.engine.ahead import ahead
from include.engine.inbound.connector import Read, Work
from include.engine.storage.warc import Page as Kept
from include.engine.storage.warc import pages

_moment = lru_cache(4096)(moment)


def read(work: Work) -> Iterator[Read]:
    """Every record that was listed: as a row, set aside with its bytes, or filtered because it came again."""
    flow = work.flow
    assert isinstance(flow, OaiHarvest)
    held = Held(work, flow.prefix)
    binding = Binding(work, flow, held)
    held.load()
    with ahead(_records(work, flow, held)) as some_records:
        for some in some_records:
            yield from binding.reads(some)
    if (late := binding.late_titles()) is not None:
        yield Read("bibliographic", late)


def _records(work: Work, flow: OaiHarvest, held: Held) -> Iterator[Records]:
    """Everything that the pages hold, some thousand records at a time; at the end, after a comparison, what is listed no longer."""
    some, listing, summary, record, at = Records(), Listing(), dict[str, Any](), 0, 0
    counting: Bools | None = None
    for kept, page in _opened(work):
        if kept.uri == SUMMARY:  # the first one
            summary = json.loads(kept.content)
            counting = _counting(work) if _again(summary) else None
            continue
        if page is None:
            record += 1
            some.unserved(kept, record)
            continue
        some.warnings.update(page.notes)
        if kept.fields["Way"] == COMPARED:
            listing.add(page, kept.at)
        if page.verb == "ListIdentifiers":
            continue
        count = some.add(page, kept, record + 1, None if counting is None else counting[at : at + len(page)])
        record, at = record + count, at + count
        if some.full:
            yield some
            some = Records()
    if summary.get("kind") == "compare":
        yield some
        some = Records()
        some.tombstones(listing.gone(work, held, since_of(flow)), record)
    some.warnings.update(_sizes(summary))
    yield some


def _opened(work: Work) -> Iterator[tuple[Kept, Page | None]]:
    """Every kept page; None for one that holds none: the summary, and what stands for a record that was not served."""
    for member in work.members():
        for kept in pages(member.stream):
            yield kept, None if kept.uri == SUMMARY or "Fault" in kept.fields else opened(kept)


def opened(kept: Kept) -> Page:
    """The page; one that was strict when it came is not held against XML again: it is sealed since."""
    if kept.fields.get("Strict") == "yes":
        return page_again(kept.content, kept.fields["Verb"])
    return page_of(kept.content, kept.fields["Verb"])


def _again(summary: dict[str, Any]) -> bool:
    """Whether a record may have come more than once."""
    series = summary["series"].values()
    return len(series) > 1 or summary["kind"] == "compare" or any(one["listed"] != one["unique"] for one in series)


def _counting(work: Work) -> Bools:
    comings = Comings()
    for _, page in _opened(work):
        if page is not None and page.verb != "ListIdentifiers":
            for identifier, datestamp in headers(page):
                at = _moment(datestamp.decode("ascii", "replace"))
                comings.add(identifier, int(at.timestamp()) if at else 0)
    return comings.counting()


def _sizes(summary: dict[str, Any]) -> dict[str, int]:
    """A warning for each series whose announced size is neither what was listed nor what was left without repetitions."""
    wrong = 0
    for one in summary.get("series", {}).values():
        size = one["complete_list_size"]
        wrong += size is not None and size not in {one["listed"], one["unique"]}
    return {"OAI_LIST_SIZE": wrong} if wrong else {}
