"""`ils_import` as the engine's inbound steps see it: how an export is read, by which contract, and what it becomes in the lake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import pyarrow as pa

from connectors.ils.bind import BindContext, bind
from connectors.ils.library import Library
from connectors.ils.profile import Profile
from connectors.ils.read import read as read_rows
from connectors.ils.settings import IlsImport
from include.engine.delivery import Delivery
from include.engine.inbound.connector import Binder, Bound, Read, Work
from include.engine.lake.plan import Mode
from include.engine.privacy.loans import without_old_links
from include.engine.storage.archive import Member

_WHOLE = frozenset({"bibliographic", "patron"})
"""Tables whose exports hold all of what they bring along."""


@dataclass(frozen=True)
class _Source:
    work: Work

    @property
    def name(self) -> str:
        return (self.work.delivery.path or self.work.delivery.id).rpartition("/")[2]

    def members(self) -> Iterator[Member]:
        return self.work.members()


def read(work: Work) -> Iterator[Read]:
    """The export's records, by its profile."""
    yield from read_rows(_Source(work), work.spec, _profile(work), _library(work))


def incoming(table: str) -> str:
    """The contract of an export's table."""
    return f"ils_{table}"


def binder(work: Work) -> Binder:
    """Lake rows of an export's rows: patrons become pseudonyms, unknown items get a placeholder."""
    context = BindContext(work.partner.id, work.pseudonyms, work.lookup, work.today, work.find)
    linked_since = work.today - work.partner.retention.loan_patron_link

    def bind_batch(table: str, rows: pa.RecordBatch) -> Iterator[Bound]:
        for bound in bind(table, rows, context):
            # A library that still exports the patrons of old loans does not bring back what retention took out.
            kept = without_old_links(bound.rows, linked_since) if bound.table == "loan" else bound.rows
            yield Bound(bound.table, kept, bound.warnings)

    return bind_batch


def mode(delivery: Delivery, table: str) -> Mode:
    """A full export deletes what it lacks, also of what comes inside it: items in catalogue records, a patron's identity and cards.

    Never a loan, for one that is missing was returned or anonymised; and never the items and patrons that a loan, hold or fee only names.
    """
    if delivery.table == "loan" and table == "loan":
        return "append" if delivery.mode == "append" else "delta"
    if table == delivery.table or delivery.table in _WHOLE:
        return cast(Mode, delivery.mode)
    return "delta"


def _profile(work: Work) -> Profile:
    assert isinstance(work.flow, IlsImport)
    return work.flow.loaded()


def _library(work: Work) -> Library:
    return Library(work.partner.isil or work.partner.id, work.partner.timezone)
