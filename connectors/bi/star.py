"""One partner's part of the star: five streams of lake rows in, sorted Parquet files out.

The SQL is in sql/, a file a table. DuckDB works in a database file beside the snapshot, within its memory limit, so that a library of any
size takes the same memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from connectors.bi.house import House, Rekey
from connectors.bi.materials import materials
from connectors.bi.source import INPUTS
from connectors.bi.tables import TABLES, Table
from include.engine.errors import BinderyError
from include.engine.lake.steps import step

_SQL = Path(__file__).parent / "sql"
_ROW_GROUP = 61_440  # rows, thirty DuckDB vectors: small enough that a filter by day skips within a busy month
_ANONYMOUS = "anonymous"  # no pseudonym of the lake looks like it: those are hexadecimal
_PARTNER_DIMENSIONS = ("dim_title", "dim_item", "dim_patron", "dim_library")


@dataclass(frozen=True)
class Measures:
    """What one partner's facts add up to, and the years they lie in (None where there are none)."""

    loans: int
    renewals: int
    returns: int
    first_year: int | None
    last_year: int | None


def build_partner(house: House, partner: str, folder: Path, work: Path) -> Measures:
    """Write the partner's share of every partitioned table below `folder`; `work` takes the scratch database. Errors: BinderyError."""
    with _database(house, work / f"{partner}.duckdb") as db:
        library, rekey = house.library(partner), house.pseudonyms(partner)
        _set(db, partner=partner, timezone=library.timezone, partner_name=library.name, year=house.today.year)
        _set(db, key_id=rekey.key_id, anonymous=rekey.of(pa.array([_ANONYMOUS]))[0].as_py())
        _run(db, "macros")
        _load(db, "kind_of_material", materials().select(["material_type"]))
        branches = pa.schema([("code", pa.string()), ("name", pa.string())])
        _load(db, "branch", pa.Table.from_pylist([{"code": code, "name": name} for code, name in library.branches.items()], branches))
        for table in INPUTS:
            with closing(house.source.stream(table, partner)) as reader:
                _load(db, table, reader)
        db.execute(step("one_of"))
        _run(db, "person")
        _rekey(db, rekey)
        for shared in ("sole_title", "item_of_barcode"):
            db.execute(step(shared))
        for name in ("title", "item", "loan", "fact_loan", *_PARTNER_DIMENSIONS):
            _run(db, name)
        for name in _PARTNER_DIMENSIONS:
            _write(db, TABLES[name], folder / name / f"partner={partner}", "true")
        for month, first, after in _months(db):
            place = folder / "fact_loan" / f"partner={partner}" / f"month={month}"
            _write(db, TABLES["fact_loan"], place, f"date >= DATE '{first}' AND date < DATE '{after}'")
        return _measures(db, partner)


def build_shared(house: House, years: tuple[int, int] | None, folder: Path, work: Path) -> None:
    """Write dim_material and dim_date, which all partners share. `years`: first and last with a fact; None: the present year."""
    with _database(house, work / "shared.duckdb") as db:
        first, last = years or (house.today.year, house.today.year)
        _set(db, first_year=first, last_year=last)
        _run(db, "dim_date")
        _write(db, TABLES["dim_date"], folder / "dim_date", "true")
        _load(db, "dim_material", materials())
        _write(db, TABLES["dim_material"], folder / "dim_material", "true")


@contextmanager
def _database(house: House, file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    spill = file.with_suffix(".spill")
    db = duckdb.connect(str(file))
    try:
        db.execute("SET memory_limit = ?", [house.settings.memory])
        db.execute("SET threads = ?", [house.settings.threads])
        db.execute("SET temp_directory = ?", [str(spill)])
        db.execute("SET preserve_insertion_order = false")
        db.execute("BEGIN")  # never committed: what is scratch need not be made durable, table after table
        yield db
    finally:
        db.close()
        file.unlink(missing_ok=True)


def _set(db: duckdb.DuckDBPyConnection, **variables: str | int) -> None:
    for name, value in variables.items():
        db.execute(f"SET VARIABLE {name} = ?", [value])


def _run(db: duckdb.DuckDBPyConnection, step: str) -> None:
    db.execute((_SQL / f"{step}.sql").read_text(encoding="utf-8"))


def _load(db: duckdb.DuckDBPyConnection, table: str, rows: pa.Table | pa.RecordBatchReader) -> None:
    db.register("incoming", rows)
    db.execute(f"CREATE TABLE {table} AS SELECT * FROM incoming")  # noqa: S608  the name is one of INPUTS
    db.unregister("incoming")


def _rekey(db: duckdb.DuckDBPyConnection, rekey: Rekey) -> None:
    """Table `person`: lake pseudonym -> BI key. Only here do the two stand side by side, and the scratch file goes with the build."""
    db.execute("CREATE TABLE bi_key (one VARCHAR, patron_key VARCHAR)")
    ones = db.sql("SELECT DISTINCT one FROM named").to_arrow_table()
    for batch in ones.to_batches(max_chunksize=100_000):
        db.register("incoming", pa.table({"one": batch.column(0), "patron_key": rekey.of(batch.column(0))}))
        db.execute("INSERT INTO bi_key SELECT * FROM incoming")
        db.unregister("incoming")
    db.execute("CREATE TABLE person AS SELECT patron, one, patron_key FROM named JOIN bi_key USING (one)")
    db.execute("DROP TABLE bi_key")


def _write(db: duckdb.DuckDBPyConnection, table: Table, folder: Path, where: str) -> None:
    """One sorted Parquet file, in the star's own types; no file where there is no row."""
    types = {
        "string": "VARCHAR",
        "bool": "BOOLEAN",
        "date32[day]": "DATE",
        "int8": "TINYINT",
        "int16": "SMALLINT",
        "decimal128(12, 2)": "DECIMAL(12, 2)",
    }
    columns = ", ".join(f"{name}::{types[str(table.schema.field(name).type)]} AS {name}" for name in table.stored)
    folder.mkdir(parents=True, exist_ok=True)
    file = str(folder / "part-0.parquet").replace("'", "''")
    query = f"SELECT {columns} FROM {table.name} WHERE {where} ORDER BY {', '.join(table.sorted_by)}"  # noqa: S608  no outside value
    db.execute(f"COPY ({query}) TO '{file}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP})")


def _months(db: duckdb.DuckDBPyConnection) -> list[tuple[str, date, date]]:
    """Each month with a fact as its name, its first day and the first day after it."""
    query = "SELECT DISTINCT date_trunc('month', date)::DATE AS first, (first + INTERVAL 1 MONTH)::DATE FROM fact_loan ORDER BY first"
    return [(first.strftime("%Y-%m"), first, after) for first, after in db.execute(query).fetchall()]


def _measures(db: duckdb.DuckDBPyConnection, partner: str) -> Measures:
    """Add up the facts, and hold them against the lake's rows: no loan may be lost or doubled on the way."""
    sums = ", ".join(f"coalesce(sum({measure}), 0)" for measure in ("loans", "renewals", "returns"))
    query = f"SELECT {sums}, min(year(date)), max(year(date)) FROM fact_loan"  # noqa: S608  names from above
    found = Measures(*(db.execute(query).fetchall()[0]))
    told = db.execute("SELECT count(*) FROM loan WHERE event = 'loan'").fetchall()[0][0]
    if found.loans != told:
        raise BinderyError(
            f"the star counts {found.loans} loans where the lake has {told}",
            where=f"{partner}, fact_loan",
            do="Look in the lake's tables item and bibliographic for rows that share a key: docs/users/integration-engineers.md says how it is read.",
            code="BI_LOANS_DIFFER",
        )
    return found
