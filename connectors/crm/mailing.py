"""`crm_mailing`: everybody who has agreed to be written to and has an address, with segments, as a file for the mailing system.

The file is whole each time. Who was in an earlier one and may not be in this one stands in it once more, as `unsubscribed`, by the key alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.crm import files
from connectors.crm.people import ADULT, PEOPLE, years_before
from connectors.crm.settings import CrmMailing, Segment
from include.engine.contract.arrow import arrow_schema
from include.engine.contract.loading import load
from include.engine.lake.rows import row_hash
from include.engine.ledger.parts import Part
from include.engine.outbound.connector import DIGEST, RECORD, Answer, Parts, Selected, Sending, Work
from include.engine.privacy.pseudonym import Pseudonyms

CONTRACT = "crm_mailing"
UNSUBSCRIBED = -1
_COLUMNS = ("email", "first_name", "last_name", "home_library", "category", "birth_year", "consent", "protected", "minor")


def reads(work: Work) -> Sequence[str]:
    """Identities: the contract names itself as reading them."""
    return PEOPLE.tables


def contract(work: Work) -> str:
    """Who may be written to."""
    return CONTRACT


def select(work: Work) -> Iterator[Selected]:
    """Consenting adults with an address; then those who were told of before and are none any more."""
    flow, names = _flow(work), Pseudonyms(work.keys, work.partner.id, "crm")
    query = f"""SELECT own, {", ".join(_COLUMNS)} FROM ({PEOPLE.sql})
        WHERE why = 0 AND kind = 'contact' AND NOT minor AND nullif(trim(email), '') IS NOT NULL"""  # noqa: S608
    told: list[pa.Array] = []
    with work.lake.connect() as connection:
        given = {"adult_since": years_before(work.today, ADULT), "accounts": False, "contacts": True, "guardians": False}
        for batch in connection.sql(query, params=given).to_arrow_reader(50_000):
            rows = pa.table(batch)
            made = {
                "external_id": names.of(rows.column("own")),
                "status": pa.repeat(pa.scalar("subscribed"), rows.num_rows),
                "segments": _segments(rows, flow.segments),
            }
            told.append(made["external_id"])
            yield Selected(_as_contract({**{name: rows.column(name).combine_chunks() for name in _COLUMNS}, **made}, rows.num_rows))
        before = connection.sql(f"SELECT record FROM settled WHERE outcome = 'sent' AND digest <> {UNSUBSCRIBED}").to_arrow_table()  # noqa: S608
    now = pa.chunked_array(told, pa.string()).combine_chunks() if told else pa.array([], pa.string())
    gone = before.filter(pc.invert(pc.is_in(before.column("record"), value_set=now))).column("record").combine_chunks()
    if len(gone):
        status = pa.repeat(pa.scalar("unsubscribed"), len(gone))
        rows_gone = _as_contract({"external_id": gone, "status": status}, len(gone))
        digest = pa.array(np.full(len(gone), UNSUBSCRIBED))
        yield Selected(rows_gone.set_column(rows_gone.schema.get_field_index(DIGEST), DIGEST, digest))


def _as_contract(columns: dict[str, pa.Array], count: int) -> pa.RecordBatch:
    schema = arrow_schema(load(CONTRACT))
    arrays = [columns[field.name].cast(field.type) if field.name in columns else pa.nulls(count, field.type) for field in schema]
    rows = pa.RecordBatch.from_arrays(arrays, schema=schema)
    return rows.append_column(RECORD, columns["external_id"]).append_column(DIGEST, row_hash(rows, schema.names))


def _segments(rows: pa.Table, segments: dict[str, Segment]) -> pa.Array:
    """The names of each row's segments, with | between."""
    names: list[list[str]] = [[] for _ in range(rows.num_rows)]
    for name, segment in segments.items():
        inside = np.ones(rows.num_rows, bool)
        for column, allowed in (("category", segment.category), ("home_library", segment.home_library)):
            if allowed:
                inside &= np.asarray(pc.is_in(rows.column(column), value_set=pa.array(allowed)))
        if segment.born:
            years = pc.fill_null(rows.column("birth_year").cast(pa.int32()), 0).to_numpy()
            inside &= (years >= segment.born[0]) & (years <= segment.born[1])
        for at in np.flatnonzero(inside):
            names[at].append(name)
    return pa.array(["|".join(one) or None for one in names], pa.string())


def render(work: Work, rows: Callable[[], pa.RecordBatchReader], parts: Parts) -> None:
    """One file a day."""
    shown = _flow(work).offered()
    files.render(work, f"mailing_{work.today:%Y%m%d}.csv", lambda: (pa.Table.from_batches([one]).select(shown) for one in rows()), parts)


def send(work: Work, sending: Sending) -> None:
    """Into the mailing system's folder."""
    files.send(work, sending)


def confirm(work: Work, parts: Sequence[Part]) -> Sequence[Answer]:
    """A folder says nothing."""
    return ()


def _flow(work: Work) -> CrmMailing:
    assert isinstance(work.flow, CrmMailing)
    return work.flow
