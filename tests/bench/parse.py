"""Seconds in which Airflow parses all DAG files, in a fresh process, without the import of Airflow itself: python -m tests.bench.parse"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.row import row

ROOT = Path(__file__).resolve().parents[2]
REPEATS = 3
CHILD = """
import time
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, Asset, task
begin, busy = time.perf_counter(), time.process_time()
bag = DagBag({dags!r})
print(time.perf_counter() - begin, time.process_time() - busy, len(bag.dags), len(bag.import_errors))
"""


def parsed() -> tuple[float, float, int]:
    """(seconds of the clock, of the processor, DAGs) of one process."""
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {
            "AIRFLOW_HOME": home,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "PYTHONPATH": str(ROOT),
        }
        code = CHILD.format(dags=str(ROOT / "dags"))
        done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True, env=environment)
    clock, core, dags, errors = done.stdout.splitlines()[-1].split()
    assert errors == "0", f"{errors} DAG files cannot be parsed"
    return float(clock), float(core), int(dags)


def main() -> None:
    """Print the medians."""
    runs = [parsed() for _ in range(REPEATS)]
    clock, core = (statistics.median(run[at] for run in runs) for at in (0, 1))
    print(f"{runs[0][2]} DAGs parsed in {clock:.2f} s ({core:.2f} s of a core), median of {REPEATS} (goal: under 1 s)")
    row("parse", f"{runs[0][2]} DAGs", clock, "s", "under 1 s")
    row("parse", f"{runs[0][2]} DAGs, processor", core, "s")


if __name__ == "__main__":
    main()
