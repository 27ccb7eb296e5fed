"""The drift audit: every identifier that the repository lists beside those that we hold. What we lack, or hold in an older state, is fetched;
what it lists no longer is told by `read` from the kept list, and becomes a tombstone. docs/flows/oai_harvest.md"""

from __future__ import annotations

import logging
from typing import Any

import pyarrow as pa

from connectors.oai_pmh.harvest.client import Faulty
from connectors.oai_pmh.harvest.fetch import COMPARED, Harvest
from connectors.oai_pmh.harvest.lists import TokenRefused
from connectors.oai_pmh.harvest.noted import noted
from connectors.oai_pmh.harvest.page import page_of
from connectors.oai_pmh.harvest.progress import Progress
from connectors.oai_pmh.harvest.record import items
from connectors.oai_pmh.harvest.times import moment
from include.engine.inbound.pulled import Pull
from include.engine.inbound.work import partner_rows
from include.engine.ledger import windows

log = logging.getLogger("bindery.oai")
_ONE_BY_ONE = 2000
"""So many records that drifted are fetched one by one; of more the whole list is fetched."""
_RESTARTS = 3


def compare(pull: Pull, harvest: Harvest) -> dict[str, Any]:
    """List all identifiers of every series, and fetch what differs. Returns what was found, for the run's figures."""
    verb = "ListRecords" if harvest.client.quirks.no_identifiers else "ListIdentifiers"
    for series in harvest.flow.series:
        window = windows.begin(pull.engine.ledger, pull.delivery, series, "compare", None, None)
        if window.state == windows.FETCHED:
            continue
        with noted(pull, window, harvest.progress[series]):
            listing(harvest, harvest.progress[series], verb)
    ours = ours_of(pull, harvest.flow.prefix)
    found = {"ours": len(ours), "theirs": 0, "missing": 0, "older": 0}
    for series, progress in harvest.progress.items():
        drifted: list[str] = []
        for identifier, datestamp, deleted in listed(pull, series):
            found["theirs"] += 1
            mine = ours.get(identifier)
            if mine is None and not deleted:
                found["missing"] += 1
                drifted.append(identifier)
            elif mine is not None and not deleted and (mine[0] != moment(datestamp) or mine[1]):
                found["older"] += 1
                drifted.append(identifier)
        if drifted and verb == "ListIdentifiers":
            fetch_again(harvest, progress, drifted)
    log.info("compared: %s", found)
    return found


def fetch_again(harvest: Harvest, progress: Progress, drifted: list[str]) -> None:
    """The records that drifted; the whole list where they are many, or where a record by itself cannot be had."""
    if len(drifted) <= _ONE_BY_ONE:
        progress.way = "drift"
        harvest.one_by_one(progress, drifted, again=True)
        return
    progress.token = None
    try:
        harvest.keep_all(progress, "ListRecords", harvest.asked(progress.series, None, None), "drift")
    except Faulty:
        progress.way = "drift"
        harvest.one_by_one(progress, drifted, again=True)


def listing(harvest: Harvest, progress: Progress, verb: str) -> None:
    """The whole list of a series, going on after what is kept."""
    for attempt in range(_RESTARTS):
        if progress.token == "":  # the list is through
            break
        try:
            harvest.keep_all(progress, verb, harvest.asked(progress.series, None, None), COMPARED)
        except TokenRefused:
            progress.token = None
            if attempt == _RESTARTS - 1:
                raise


def listed(pull: Pull, series: str) -> list[tuple[str, str, bool]]:
    """(identifier, datestamp, deleted) of everything that the kept list of a series names, each once."""
    found: dict[str, tuple[str, bool]] = {}
    pull.pages.flush()
    for one in pull.pages.kept():
        if one.fields.get("Series") == series and one.fields.get("Way") == COMPARED and "Fault" not in one.fields:
            for item in items(page_of(one.content, one.fields["Verb"])):
                found[item.identifier] = item.datestamp, item.deleted
    return [(identifier, *more) for identifier, more in found.items()]


def ours_of(pull: Pull, prefix: str) -> dict[str, tuple[Any, bool]]:
    """Identifier -> (datestamp, deleted) of the partner's records in the lake."""
    rows: pa.Table = partner_rows(pull.engine, pull.partner.id, "oai_record", ["prefix", "identifier", "datestamp", "deleted"])
    columns = (rows.column(name).to_pylist() for name in ("prefix", "identifier", "datestamp", "deleted"))
    return {name: (at, gone) for of, name, at, gone in zip(*columns, strict=True) if of == prefix}
