"""`oai_harvest` as the engine's inbound steps see it: how a repository is fetched, how its pages are read, and what they become in the lake."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.oai_pmh.harvest.jobs import fetch as fetch_windows
from connectors.oai_pmh.harvest.reading import read as read_pages
from include.engine.delivery import Delivery
from include.engine.inbound.connector import Binder, Read, Work
from include.engine.inbound.pulled import Pull
from include.engine.inbound.work import as_delivered
from include.engine.lake.plan import Mode


def fetch(pull: Pull) -> None:
    """Bring the pages of the delivery's windows."""
    fetch_windows(pull)


def read(work: Work) -> Iterator[Read]:
    """The records in the kept pages, and their titles."""
    yield from read_pages(work)


def incoming(table: str) -> str:
    """The contract that rows must keep when they come in; titles keep that of every library's titles."""
    return "oai_record_incoming" if table == "oai_record" else f"ils_{table}"


def binder(work: Work) -> Binder:
    """The lake's rows are the incoming ones, with the partner's name on them."""
    return as_delivered(work)


def mode(_delivery: Delivery, _table: str) -> Mode:
    """New and changed rows: what is deleted is told by a tombstone, also where a comparison found it."""
    return "delta"
