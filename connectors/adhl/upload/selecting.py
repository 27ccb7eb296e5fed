"""Which loans are due, and which of them go out: what was never sent, however late it comes, and is a home loan of a person.

An upload that failed was never settled, so the next one takes its loans along; a loan that is retracted in the lake before it was sent is not
there to be selected, and one that is retracted after it was sent stays sent: posthus takes nothing back.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.adhl.settings import AdhlUpload
from include.engine.lake.rows import row_hash
from include.engine.outbound.connector import DIGEST, LEFT, RECORD, Selected, Work
from include.engine.outbound.settled import changed
from include.engine.privacy.cpr import sex_and_year
from include.engine.privacy.pseudonym import Pseudonyms

READS = ("loan", "item", "patron", "patron_alias", "patron_identity")
BATCH = 100_000
YEAR = timedelta(days=365)

_UNKNOWN = """
    SELECT patron_identity.patron, national_id FROM patron_identity JOIN patron USING (patron)
    WHERE national_id IS NOT NULL AND (patron.gender IS NULL OR patron.birth_year IS NULL)
"""
_DECIDES = ["title", "patron", "sex", "birth_year", "known", "institution", "too_many", "kind", "early"]
"""What of a loan can change while it waits, and then decides anew; `early` is one of a day that is still to come."""

# A reason, what is meant for it (a column that is true, or a value of one), and whether another state of the loan may bring it out after all.
_REASONS: tuple[tuple[str, str, str | None, str], ...] = (
    ("ADHL_RENEWAL", "event", "renewal", "left"),
    ("ADHL_RETURN", "event", "return", "left"),
    ("ADHL_IN_LIBRARY", "kind", "in_library", "left"),
    ("ADHL_INTERLIBRARY", "kind", "interlibrary", "left"),
    ("ADHL_INSTITUTION_LOAN", "kind", "institution", "left"),
    ("ADHL_E_LOAN", "kind", "e_loan", "left"),
    ("ADHL_ANONYMISED", "nobody", None, "left"),
    ("ADHL_INSTITUTION_CARD", "institution", None, "left"),
    ("ADHL_TOO_MANY_LOANS", "too_many", None, "left"),
    ("ADHL_PATRON_UNKNOWN", "stranger", None, "waits"),
    ("ADHL_SEX_UNKNOWN", "no_sex", None, "waits"),
    ("ADHL_BIRTH_YEAR_UNKNOWN", "no_year", None, "waits"),
)
_MAY_BE_SENT = frozenset({"ADHL_SEX_UNKNOWN", "ADHL_BIRTH_YEAR_UNKNOWN"})


def select(work: Work, flow: AdhlUpload) -> Iterator[Selected]:
    """What is due, in batches: rows of the contract adhl_loan, and the records that are left out, by reason."""
    names = Pseudonyms(work.keys, work.partner.id, "adhl", epoch(flow, work.today))
    join, due = work.lake.due("named.name")
    sql = _sql().replace("{join}", join).replace("{due}", due)
    asked = {"first": _first(work, flow), "year_ago": work.today - YEAR, "most_loans": flow.most_loans}
    with work.lake.connect() as connection:
        connection.register("from_cpr", _from_cpr(connection))
        for batch in connection.sql(sql, params=asked).to_arrow_reader(BATCH):
            yield _parted(batch, names, flow, work.today)


def epoch(flow: AdhlUpload, today: date) -> str:
    """The name of the epoch that `today` is in: with the next one every patron gets another pseudonym."""
    match flow.epoch:
        case "year":
            return f"{today:%Y}"
        case "half_year":
            return f"{today:%Y}H{(today.month + 5) // 6}"
        case "quarter":
            return f"{today:%Y}Q{(today.month + 2) // 3}"
        case "month":
            return f"{today:%Y-%m}"
        case _:
            return "1"


def _first(work: Work, flow: AdhlUpload) -> date:
    """The first day of loans that are looked at: never one of which it is no longer known what was sent. A replay sends what its origin
    sent, however old that is by now."""
    if work.lake.again is not None:
        return date.min
    oldest: date = work.today - flow.late
    return max(filter(None, (oldest, flow.since, work.lake.forgotten)))


@cache
def _sql() -> str:
    return Path(__file__).with_name("due.sql").read_text(encoding="utf-8")


def _from_cpr(connection: Any) -> pa.Table:
    """Sex and birth year of the patrons of whom the lake does not know both, out of their CPR numbers, which go no further than this."""
    found = connection.sql(_UNKNOWN).to_arrow_table()
    sex, year = sex_and_year(found.column("national_id"))
    return pa.table({"patron": found.column("patron"), "sex": sex, "birth_year": year})


def _parted(batch: pa.RecordBatch, names: Pseudonyms, flow: AdhlUpload, today: date) -> Selected:
    """The rows that go out, and those that do not. What waits and is as it was is not even counted: it was, when it was left out."""
    batch = batch.append_column("early", pc.greater(batch.column("loan_date"), pa.scalar(today, pa.date32())))
    digest = row_hash(batch, _DECIDES)
    fresh = changed(digest, batch.column("before"))
    batch, digest = batch.filter(fresh), digest.filter(fresh)
    sex = pc.if_else(pc.is_in(batch.column("sex"), value_set=pa.array(["m", "k"])), batch.column("sex"), None)
    flags = {
        **{name: batch.column(name) for name in ("event", "kind", "institution", "too_many")},
        "nobody": batch.column("patron").is_null(),
        "stranger": pc.invert(pc.fill_null(batch.column("known"), False)),
        "no_sex": sex.is_null(),
        "no_year": batch.column("birth_year").is_null(),
    }
    asked = [one for one in _REASONS if flow.unknown == "filter" or one[0] not in _MAY_BE_SENT]
    holds = [flags[column] if value is None else pc.fill_null(pc.equal(flags[column], value), False) for _, column, value, _ in asked]
    conditions = pa.StructArray.from_arrays(holds, names=[name for name, *_ in asked])
    reason = pc.case_when(conditions, *(pa.scalar(name) for name, *_ in asked), pa.scalar(None, pa.string()))
    outcome = pc.case_when(conditions, *(pa.scalar(one[3]) for one in asked), pa.scalar(None, pa.string()))
    goes = reason.is_null()
    stays = pc.invert(goes)
    record = batch.column("record")
    left = [record.filter(stays), reason.filter(stays), outcome.filter(stays), digest.filter(stays)]
    rows = {
        "loan_date": batch.column("loan_date").filter(goes),
        "borrower": names.of(batch.column("patron").filter(goes)),
        "sex": sex.filter(goes),
        "birth_year": batch.column("birth_year").filter(goes).cast(pa.int16()),
        "local_id": local_ids(batch.column("title").filter(goes)),
        RECORD: record.filter(goes),
        DIGEST: digest.filter(goes),
    }
    return Selected(pa.RecordBatch.from_pydict(rows), pa.Table.from_arrays(left, schema=LEFT))


def local_ids(titles: pa.Array) -> pa.Array:
    """Control numbers as ADHL wants them: without hyphens and blanks; what is then empty is none."""
    bare = pc.replace_substring_regex(titles.cast(pa.string()), r"[-\s\x{a0}‐‑–—]", "")
    return pc.if_else(pc.equal(bare, ""), None, bare)
