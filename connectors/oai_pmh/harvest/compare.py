"""The drift audit: every identifier that the repository lists beside those that we hold. What we lack, or hold in an older state, is fetched;
what it lists no longer is told by `read` from the kept list, and becomes a tombstone. docs/flows/oai_harvest.md"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from connectors.oai_pmh.harvest.client import Faulty
from connectors.oai_pmh.harvest.columns import Ints
from connectors.oai_pmh.harvest.drift import Listed, Ours, names_at
from connectors.oai_pmh.harvest.fetch import COMPARED, Harvest
from connectors.oai_pmh.harvest.lists import TokenRefused
from connectors.oai_pmh.harvest.noted import noted
from connectors.oai_pmh.harvest.page import Page, page_of
from connectors.oai_pmh.harvest.progress import Progress
from include.engine.contract.loading import load
from include.engine.inbound.pulled import Pull
from include.engine.ledger import windows

log = logging.getLogger("bindery.oai")
_ONE_BY_ONE = 2000
"""So many records that drifted are fetched one by one; of more the whole list is fetched."""
_RESTARTS = 3


def compare(pull: Pull, harvest: Harvest) -> dict[str, Any]:
    """List all identifiers of every series, and fetch what differs. Returns what was found, for the run's figures."""
    verb = "ListRecords" if harvest.client.quirks.no_identifiers else "ListIdentifiers"
    every = {one: windows.begin(pull.engine.ledger, pull.delivery, one, "compare", None, None) for one in harvest.flow.series}
    for series, window in every.items():
        if window.state == windows.FETCHED:
            continue
        with noted(pull, window, harvest.progress[series]):
            listing(harvest, harvest.progress[series], verb)
    ours, listed = Ours(pull, harvest.flow), {series: Listed.of(pages_of(pull, series)) for series in every}
    if 0 < ours.absent(listed.values(), harvest.since) <= load("oai_record").delete_above:
        for series, window in every.items():
            with noted(pull, window, harvest.progress[series]):
                listing_again(harvest, harvest.progress[series], verb)
        listed = {series: Listed.of(pages_of(pull, series)) for series in every}
    found = {"ours": len(ours), "theirs": 0, "missing": 0, "older": 0, "untitled": 0}
    for series, progress in harvest.progress.items():
        theirs = listed.pop(series)
        drifted = ours.beside(theirs)
        found["theirs"] += len(np.unique(theirs.digest))
        for kind, places in drifted.items():
            found[kind] += len(places)
        places = np.sort(np.concatenate(list(drifted.values())))
        if len(places) and verb == "ListIdentifiers":
            fetch_again(harvest, progress, len(places), partial(_names, pull, series, places))
    log.info("compared: %s", found)
    return found


def fetch_again(harvest: Harvest, progress: Progress, count: int, drifted: Callable[[], list[str]]) -> None:
    """The `count` records that drifted; the whole list where they are many, or where a record by itself cannot be had."""
    if count <= _ONE_BY_ONE:
        progress.way = "drift"
        harvest.one_by_one(progress, drifted(), again=True)
        return
    progress.token = None
    try:
        harvest.keep_all(progress, "ListRecords", harvest.asked(progress.series, harvest.since, None), "drift")
    except Faulty:
        progress.way = "drift"
        harvest.one_by_one(progress, drifted(), again=True)


def listing(harvest: Harvest, progress: Progress, verb: str) -> None:
    """The whole list of a series, going on after what is kept."""
    for attempt in range(_RESTARTS):
        if progress.token == "":  # the list is through
            break
        try:
            harvest.keep_all(progress, verb, harvest.asked(progress.series, harvest.since, None), COMPARED)
        except TokenRefused:
            progress.token = None
            if attempt == _RESTARTS - 1:
                raise


def listing_again(harvest: Harvest, progress: Progress, verb: str) -> None:
    """A second list, where the first one lacks what we hold: a list whose pages are counted off skips a record when an earlier one leaves its place
    meanwhile. What neither names is gone (of more than is deleted without a person's word, that person is asked instead)."""
    if progress.way != COMPARED or (progress.lists > 1 and progress.token == ""):
        return  # done, by an earlier try
    progress.token = progress.token or None
    listing(harvest, progress, verb)


def pages_of(pull: Pull, series: str) -> Iterator[Page]:
    """The kept pages of a series' list."""
    pull.pages.flush()
    for one in pull.pages.kept():
        if one.fields.get("Series") == series and one.fields.get("Way") == COMPARED and "Fault" not in one.fields:
            yield page_of(one.content, one.fields["Verb"])


def _names(pull: Pull, series: str, places: Ints) -> list[str]:
    return names_at(pages_of(pull, series), places)
