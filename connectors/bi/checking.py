"""The gate of the BI hand-off: the files as they were written, read back and judged by the contract `bi_<table>`.

No row is left out of a feed: totals would no longer agree with the lake. So a row that breaks a rule of severity `quarantine` closes the gate
just as one of `block` does; a `warn` is counted in the manifest. While the gate is closed, the standing snapshot stays the newest.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from connectors.bi.house import House
from connectors.bi.tables import TABLES, Table
from include.engine.contract.arrow import SOURCE_COLUMNS, arrow_schema
from include.engine.contract.model import Contract
from include.engine.errors import Refused, SettingsError

_BATCH = 200_000  # rows


def check(house: House, name: str, folder: Path, snapshot: str) -> dict[str, int]:
    """Judge one table of the snapshot in `folder`. Returns the figures for the manifest: rows, rules, warnings (rows).

    Errors: Refused BI_GATE_CLOSED naming table and rule; SettingsError when the contract is missing or describes other columns.
    """
    from include.engine.gate.gate import Gate  # here, because Great Expectations takes seconds to import: listing snapshots need not wait

    table, contract = TABLES[name], _contract(house, name)
    gate = Gate(contract, today=house.today, delivery=snapshot)
    aside = 0
    for batch in batches(table, folder):
        aside += gate.split(batch).set_aside.num_rows
    verdict = gate.verdict()
    failed = [result for result in verdict.results if result.failed and result.severity != "warn"]
    if not verdict.passed or aside or failed or verdict.late.num_rows:
        broken = "; ".join(f"{result.rule}: {result.failed:,} rows" for result in failed) or verdict.message
        raise Refused(
            f"the feed breaks its contract {contract.id} {contract.version} ({broken}).",
            where=f"BI snapshot {snapshot}, {name}",
            do="The standing snapshot stays the newest. Look at the lake's rows, or mend the contract, and run the feed again.",
            code="BI_GATE_CLOSED",
        )
    return {"rows": verdict.rows_in, "rules": len(verdict.results), "warnings": verdict.warnings}


def batches(table: Table, folder: Path) -> Iterator[pa.RecordBatch]:
    """The logical table (folder columns included) in its own types, behind the source columns of the gate, in batches of about _BATCH rows.

    A batch reaches over files: a judgement costs the same whatever its rows, and a small library's month holds few.
    """
    held: list[pa.RecordBatch] = []
    for path in sorted((folder / table.name).rglob("*.parquet")):
        for batch in _of_file(table, folder, path):
            held.append(batch)
            if sum(one.num_rows for one in held) >= _BATCH:
                yield pa.concat_batches(held)
                held = []
    if held:
        yield pa.concat_batches(held)


def _of_file(table: Table, folder: Path, path: Path) -> Iterator[pa.RecordBatch]:
    inside = dict(part.split("=", 1) for part in path.relative_to(folder / table.name).parts[:-1])
    member, record = path.relative_to(folder).as_posix(), 0
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
                for field in table.schema
            ]
            yield pa.RecordBatch.from_arrays([*places, *columns], names=[*SOURCE_COLUMNS.names, *table.schema.names])
            record += rows


def _contract(house: House, name: str) -> Contract:
    contract = house.contracts.get(name)
    if contract is None:
        raise SettingsError(
            f"there is no contract for {name}", where="data_contracts", do=f"Add bi_{name}.odcs.yaml.", code="CONTRACT_INVALID"
        )
    promised = {field.name: field.type for field in arrow_schema(contract)}
    made = {field.name: field.type for field in TABLES[name].schema}
    if promised != made:
        names = sorted({column for column in promised | made if promised.get(column) != made.get(column)})
        raise SettingsError(
            f"the contract and the star differ in {', '.join(names)}",
            where=f"{contract.id} {contract.version}",
            do="Mend the contract, or connectors/bi/tables.py.",
            code="CONTRACT_INVALID",
        )
    return contract
