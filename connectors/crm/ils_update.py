"""`crm_ils_update`: what was changed in the CRM and is to be applied, as a file that the library system imports; each change goes once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from connectors.crm import files
from connectors.crm.settings import CrmIlsUpdate
from include.engine.contract.arrow import arrow_schema
from include.engine.contract.loading import load
from include.engine.lake.rows import row_hash
from include.engine.ledger.parts import Part
from include.engine.outbound.connector import DIGEST, RECORD, Answer, Parts, Selected, Sending, Work

CONTRACT = "crm_ils_update"
_SQL = """
    SELECT i.patron || '/' || c.field AS record, i.patron_id, c.field, c.theirs AS value, c.changed_at, s.digest AS before
    FROM crm_proposal c JOIN patron_identity i ON i.patron = c.patron LEFT JOIN settled s ON s.record = i.patron || '/' || c.field
    WHERE c.verdict = 'apply' AND NOT i.deleted AND NOT i.protected
        AND c.theirs IS DISTINCT FROM CASE c.field WHEN 'email' THEN i.email WHEN 'phone' THEN i.phone ELSE CAST(i.consent AS VARCHAR) END
"""


def reads(work: Work) -> Sequence[str]:
    """Identities: the contract names itself as reading them."""
    return "crm_proposal", "patron_identity"


def contract(work: Work) -> str:
    """A change a row."""
    return CONTRACT


def select(work: Work) -> Iterator[Selected]:
    """Changes to be applied that the register does not show yet, and that have not gone before with this value."""
    schema = arrow_schema(load(CONTRACT))
    with work.lake.connect() as connection:
        for batch in connection.sql(_SQL).to_arrow_reader(50_000):
            digest = row_hash(batch, ["field", "value"])
            fresh = pa.array(
                [one != old for one, old in zip(digest.to_pylist(), batch.column("before").to_pylist(), strict=True)], pa.bool_()
            )
            rows = pa.RecordBatch.from_arrays([batch.column(field.name).cast(field.type) for field in schema], schema=schema)
            yield Selected(rows.append_column(RECORD, batch.column("record")).append_column(DIGEST, digest).filter(fresh))


def render(work: Work, rows: Callable[[], pa.RecordBatchReader], parts: Parts) -> None:
    """A patron a row, a field a column; what did not change is empty."""
    patrons: dict[str, dict[str, Any]] = {}
    for batch in rows():
        for one in batch.to_pylist():
            patrons.setdefault(one["patron_id"], {"patron_id": one["patron_id"]})[one["field"]] = one["value"]
    schema = pa.schema([(name, pa.string()) for name in CrmIlsUpdate.offered()])
    table = pa.Table.from_pylist([patrons[one] for one in sorted(patrons)], schema)
    files.render(work, f"patron_changes_{work.delivery.id[-8:]}.csv", lambda: [table], parts)


def send(work: Work, sending: Sending) -> None:
    """Into the folder that the library system imports from."""
    files.send(work, sending)


def confirm(work: Work, parts: Sequence[Part]) -> Sequence[Answer]:
    """The next export shows what was applied."""
    return ()
