"""One row of the benches' table: what was measured, on what, beside which goal or peer. `python -m tests.bench` gathers them."""

from __future__ import annotations

import json
import os
from pathlib import Path

FILE = "BINDERY_BENCH_ROWS"


def row(bench: str, what: str, value: float, unit: str, goal: str = "") -> None:
    """Add a row to the file that the environment names; a bench that is run alone adds none."""
    if path := os.environ.get(FILE):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"bench": bench, "what": what, "value": round(value, 3), "unit": unit, "goal": goal}) + "\n")
