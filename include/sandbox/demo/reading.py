"""Three lines with which an analyst reads the demo's BI snapshot; the demo runs them before it shows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pandas

from include.sandbox.demo.installation import Installation


def snapshot(installation: Installation) -> Path:
    """The newest snapshot's folder."""
    bi = installation.home / "bi"
    found: dict[str, Any] = json.loads((bi / "latest.json").read_text())
    return bi / str(found["path"])


def ways_to_read(folder: str | Path) -> tuple[str, str, str]:
    """The lines, for a snapshot in `folder`."""
    return (
        f"duckdb.sql(\"SELECT month, sum(loans), sum(renewals) FROM '{folder}/fact_loan/**/*.parquet' GROUP BY month ORDER BY month\")",
        f"duckdb.sql(\"SELECT language, count(*) FROM '{folder}/dim_title/**/*.parquet' GROUP BY language\")",
        f"pandas.read_parquet('{folder}/fact_loan').groupby('kind')[['loans', 'renewals', 'returns']].sum()",
    )


def loans_read(installation: Installation) -> list[int]:
    """The number of loans as each way of reading `fact_loan` finds it: DuckDB's, pandas's."""
    by_month, _, by_kind = (eval(line, {"duckdb": duckdb, "pandas": pandas}) for line in ways_to_read(snapshot(installation)))  # noqa: S307 - our own lines
    return [int(sum(row[1] for row in by_month.fetchall())), int(by_kind["loans"].sum())]
