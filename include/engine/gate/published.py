"""The gate of what is published as Parquet: the files as they were written, read back and judged by the table's contract.

No row is left out of what is published: totals would no longer agree. So a row that breaks a rule of severity `quarantine` closes the gate
just as one of `block` does; a `warn` is counted in the manifest.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from include.engine.contract.arrow import SOURCE_COLUMNS, arrow_schema
from include.engine.contract.model import Contract
from include.engine.errors import Refused, SettingsError

_BATCH = 200_000  # rows


def check(contract: Contract, schema: pa.Schema, folder: Path, *, snapshot: str, today: date, what: str, code: str) -> dict[str, int]:
    """Judge the table whose files lie in `folder`. Returns the figures for the manifest: rows, rules, warnings (rows).

    `schema` is the logical table: a column may be a folder (`partner=lindeby/`). `what` names the publication, as "BI snapshot".
    Errors: Refused with reason `code`, naming table and rule; SettingsError when the contract describes other columns.
    """
    from include.engine.gate.gate import Gate  # here, because Great Expectations takes seconds to import: listing snapshots need not wait

    agrees(contract, schema)
    gate = Gate(contract, today=today, delivery=snapshot)
    aside = 0
    for batch in batches(schema, folder):
        aside += gate.split(batch).set_aside.num_rows
    verdict = gate.verdict()
    failed = [result for result in verdict.results if result.failed and result.severity != "warn"]
    if not verdict.passed or aside or failed or verdict.late.num_rows:
        broken = "; ".join(f"{result.rule}: {result.failed:,} rows" for result in failed) or verdict.message
        raise Refused(
            f"the {what} breaks its contract {contract.id} {contract.version} ({broken}).",
            where=f"{what} {snapshot}, {folder.name}",
            do="The standing snapshot stays the newest. Look at the lake's rows, or mend the contract, and run it again.",
            code=code,
        )
    return {"rows": verdict.rows_in, "rules": len(verdict.results), "warnings": verdict.warnings}


def batches(schema: pa.Schema, folder: Path) -> Iterator[pa.RecordBatch]:
    """The logical table (folder columns included) in its own types, behind the source columns of the gate, in batches of about _BATCH rows.

    A batch reaches over files: a judgement costs the same whatever its rows, and a small library's month holds few.
    """
    held: list[pa.RecordBatch] = []
    for path in sorted(folder.rglob("*.parquet")):
        for batch in _of_file(schema, folder, path):
            held.append(batch)
            if sum(one.num_rows for one in held) >= _BATCH:
                yield pa.concat_batches(held)
                held = []
    if held:
        yield pa.concat_batches(held)


def agrees(contract: Contract, schema: pa.Schema) -> None:
    """SettingsError CONTRACT_INVALID when the contract describes other columns than the table has."""
    promised = {field.name: field.type for field in arrow_schema(contract)}
    made = {field.name: field.type for field in schema}
    if promised != made:
        names = sorted({column for column in promised | made if promised.get(column) != made.get(column)})
        raise SettingsError(
            f"the contract and the table differ in {', '.join(names)}",
            where=f"{contract.id} {contract.version}",
            do="Mend the contract, or the code that makes the table.",
            code="CONTRACT_INVALID",
        )


def _of_file(schema: pa.Schema, folder: Path, path: Path) -> Iterator[pa.RecordBatch]:
    inside = dict(part.split("=", 1) for part in path.relative_to(folder).parts[:-1])
    member, record = path.relative_to(folder.parent).as_posix(), 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH):
            rows = batch.num_rows
            places = [
                pa.repeat(pa.scalar(member), rows),
                pa.array(np.arange(record + 1, record + 1 + rows)),
                pa.repeat(pa.scalar(-1, pa.int64()), rows),
                pa.repeat(pa.scalar(-1, pa.int32()), rows),
            ]
            columns = [
                pa.repeat(pa.scalar(inside[field.name]), rows) if field.name in inside else batch.column(field.name).cast(field.type)
                for field in schema
            ]
            yield pa.RecordBatch.from_arrays([*places, *columns], names=[*SOURCE_COLUMNS.names, *schema.names])
            record += rows
