"""The fetch of a delivery of `circulation_journal`: the journal's entries from where the lake is, on to those that are old enough."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from connectors.circulation.journal.marker import end, mark, taken
from connectors.circulation.journal.reading import Entry, before, identity, read
from connectors.circulation.lake import conflicts
from connectors.circulation.lake.belonging import claim
from connectors.circulation.lake.position import position
from connectors.circulation.settings import CirculationJournal
from include.engine import clock
from include.engine.failpoints import point
from include.engine.inbound.pulled import Pull
from include.engine.ledger import claims
from include.engine.storage.warc import Page

SUMMARY = "bindery:circulation/summary"
ENTRIES = "bindery:circulation/journal"
A_PAGE = 500
MOST = 100_000
"""Entries in one delivery; the next one takes what is left."""


def fetch(pull: Pull) -> None:
    """Bring what is new in the journal. Killed, the next try goes on after the pages that are kept."""
    flow = pull.flow
    assert isinstance(flow, CirculationJournal)
    claim(pull.engine.home / flow.folder, pull.partner.id)
    folder = pull.engine.home / flow.folder / "journal"
    journal, at_end = identity(folder), end(folder)
    there = position(pull.engine.ledger, pull.partner.id, journal, pull.delivery.status)
    kept = [page for page in pull.pages.kept() if page.fields.get("Journal") == journal]
    # What was retired was in the lake by then: a partner that was in status `test` meanwhile goes on from there.
    retired = min(before(folder), taken(folder, journal))
    begun = max([there.published, retired, *(int(page.fields["Last"]) for page in kept)])
    first = int(kept[0].fields["First"]) - 1 if kept else begun
    claims.note(pull.engine.ledger, pull.token, journal={"id": journal, "after": first})
    until, count, young = begun, 0, False
    horizon = clock.now() - flow.wait
    batch: list[Entry] = []
    for entry in _entries(pull, folder, begun):
        if count >= MOST or datetime.fromisoformat(entry.data["at"]) > horizon:
            young = True
            break
        batch.append(entry)
        until, count = entry.number, count + 1
        if len(batch) == A_PAGE:
            _add(pull, journal, batch)
            batch = []
    if batch:
        _add(pull, journal, batch)
    pull.pages.flush()
    pull.pages.lead(_summary(pull, journal, first, until))
    if journal:  # in status `test` too: what staff say of a conflict is no rehearsal
        conflicts.close_there(pull, journal, pull.engine.home / flow.folder)
    if pull.delivery.status == "live" and journal:
        all_of_it = not young and not count and not kept and there.acknowledged == until
        mark(folder, journal, there.acknowledged, at_end if all_of_it else None)
    claims.note(pull.engine.ledger, pull.token, journal={"id": journal, "after": first, "until": until})


def _entries(pull: Pull, folder: Path, after: int) -> Iterator[Entry]:
    if folder.exists():
        yield from read(folder, pull.engine.keys, after=after)


def _add(pull: Pull, journal: str, batch: list[Entry]) -> None:
    conflicts.enter(pull, journal, batch)  # before the page: what is kept is not read again
    content = "".join(f"{json.dumps([entry.number, entry.data], ensure_ascii=False)}\n" for entry in batch).encode()
    about = {"Journal": journal, "First": str(batch[0].number), "Last": str(batch[-1].number)}
    pull.pages.add(Page(ENTRIES, clock.now(), content, "application/jsonl", about))
    point("pull.page")


def _summary(pull: Pull, journal: str, after: int, until: int) -> Page:
    said: dict[str, Any] = {"journal": journal, "after": after, "until": until}
    return Page(SUMMARY, clock.now(), json.dumps(said).encode(), "application/json")
