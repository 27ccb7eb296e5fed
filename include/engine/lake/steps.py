"""Steps in SQL (DuckDB) that several readers of the lake take alike: who is behind a pseudonym, which title is behind a loan.

They make tables out of lake tables that hold one partner's rows; each file of sql/ says which.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_SQL = Path(__file__).parent / "sql"


def step(name: Literal["one_of", "sole_title", "item_of_barcode"]) -> str:
    """The statements of one step."""
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")
