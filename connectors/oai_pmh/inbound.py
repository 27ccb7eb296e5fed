"""`oai_harvest` as the engine's inbound steps see it: how a repository is fetched, how its pages are read, and what they become in the lake."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from connectors.oai_pmh.harvest.jobs import fetch as fetch_windows
from connectors.oai_pmh.harvest.reading import read as read_pages
from connectors.oai_pmh.settings import OaiHarvest
from include.engine.delivery import Delivery
from include.engine.errors import SettingsError
from include.engine.inbound.connector import Binder, Bound, Read, Work
from include.engine.inbound.pulled import Pull
from include.engine.lake.plan import Mode
from include.engine.partner.settings import FlowSettings, InboxFlow, Partner


def fetch(pull: Pull) -> None:
    """Bring the pages of the delivery's windows."""
    _one_source_of_titles(pull.partner, pull.flow)
    fetch_windows(pull)


def read(work: Work) -> Iterator[Read]:
    """The records in the kept pages, and their titles."""
    _one_source_of_titles(work.partner, work.flow)
    yield from read_pages(work)


def incoming(table: str) -> str:
    """The contract that rows must keep when they come in; titles keep that of every library's titles."""
    return "oai_record_incoming" if table == "oai_record" else f"ils_{table}"


def binder(work: Work) -> Binder:
    """The lake's rows are the incoming ones, with the partner's name on them."""

    def bind(table: str, rows: pa.RecordBatch) -> Iterator[Bound]:
        whose = pa.repeat(pa.scalar(work.partner.id), rows.num_rows)
        yield Bound(table, pa.table(rows).append_column("partner", whose))

    return bind


def mode(_delivery: Delivery, _table: str) -> Mode:
    """New and changed rows: what is deleted is told by a tombstone, also where a comparison found it."""
    return "delta"


def _one_source_of_titles(partner: Partner, flow: FlowSettings) -> None:
    """A full export of titles deletes what it does not name: it would delete those of the harvest."""
    assert isinstance(flow, OaiHarvest)
    others = [
        name
        for name, other in partner.flows.items()
        if isinstance(other, InboxFlow) and any((one.table, one.mode) == ("bibliographic", "full") for one in other.deliveries)
    ]
    if flow.binds and others:
        raise SettingsError(
            f"{others[0]} delivers all titles of this partner, and would delete those that the harvest brings.",
            where=partner.where(),
            do="Write `bind: false` for oai_harvest, or harvest under a partner of its own.",
        )
