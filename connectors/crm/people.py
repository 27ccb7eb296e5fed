"""Who is in the register, who of them may be in the CRM, and what is told of them: rows for the selection, read from the lake as streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.crm.sync_settings import KINDS, CrmSync, Kind
from include.engine.outbound.connector import Work

_SQL = Path(__file__).parent / "sql"
ADULT = 18
REASONS = {1: "CRM_NO_CONSENT", 2: "CRM_PROTECTED", 3: "CRM_MINOR", 4: "CRM_LEFT_LIBRARY", 5: "CRM_OTHER_KIND"}
"""Why somebody is not in the CRM, by the number that the SQL gives (0: may be there)."""
GONE = 4
BATCH = 50_000


@dataclass(frozen=True)
class Source:
    """Where records of some kinds come from: a query with the columns `kind`, `own` (their key in the lake), `why` and the contract's."""

    kinds: tuple[Kind, ...]
    sql: str
    tables: tuple[str, ...]


PEOPLE = Source(("contact", "account"), (_SQL / "people.sql").read_text(encoding="utf-8"), ("patron_identity",))
DOINGS = Source(("task", "case", "campaign_member"), (_SQL / "doings.sql").read_text(encoding="utf-8"), ("patron_identity", "crm_activity"))
PROSPECTS = Source(("lead",), (_SQL / "prospects.sql").read_text(encoding="utf-8"), ("crm_prospect",))
SOURCES = (PEOPLE, DOINGS, PROSPECTS)


def sources(flow: CrmSync) -> list[Source]:
    """Those that the partner's settings ask for."""
    return [source for source in SOURCES if set(source.kinds) & set(flow.objects)]


def wanted(flow: CrmSync, source: Source) -> set[str]:
    """The contract's columns that the mapped fields of a source's kinds are made of."""
    return {column for kind in source.kinds if kind in flow.objects for column in flow.columns(kind)}


def parameters(work: Work, flow: CrmSync, source: Source) -> Mapping[str, Any]:
    """What a source's query is told: only what it names."""
    sent = {kind for kind, their in flow.objects.items() if their.sent}
    known: dict[str, Any] = {
        "adult_since": years_before(work.today, ADULT),
        "guardians": flow.minors == "through_guardian",
        **{f"{kind.removeprefix('campaign_')}s": kind in sent for kind in KINDS},
    }
    return {name: value for name, value in known.items() if f"${name}" in source.sql}


def everybody(work: Work, flow: CrmSync, source: Source, columns: set[str], connection: Any) -> Iterator[pa.RecordBatch]:
    """The source's rows in batches: kind, own, why, and `columns`."""
    named = ", ".join(["kind", "own", "why", *sorted(columns)])
    found = connection.sql(f"SELECT {named} FROM ({source.sql})", params=parameters(work, flow, source))  # noqa: S608
    yield from found.to_arrow_reader(BATCH)


def these(work: Work, flow: CrmSync, source: Source, columns: set[str], due: pa.Table, connection: Any) -> Iterator[pa.RecordBatch]:
    """As `everybody`, of those that `due` (kind, own and further columns, which come along) names."""
    connection.register("due", due)
    more = [f"due.{name}" for name in due.column_names if name not in {"kind", "own"}]
    named = ", ".join(["p.kind", "p.own", *(f"p.{name}" for name in sorted(columns)), *more])
    query = f"SELECT {named} FROM ({source.sql}) p JOIN due ON due.kind = p.kind AND due.own = p.own"  # noqa: S608
    yield from connection.sql(query, params=parameters(work, flow, source)).to_arrow_reader(BATCH)


def years_before(day: date, years: int) -> date:
    """The same day so many years ago; 28 February stands for a 29th that was not."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)
