"""Generated data for the benches, made once and kept under .bench/: `loans("havnsund", 1_000_000)` is a path to a CSV file.

python -m tests.bench.data [--loans 1000000] [--library havnsund]
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

from include.sandbox.world import Answer, load, make

FOLDER = Path(".bench/world")
_VERSION = "1"
"""Raised when the world is made otherwise: what was cached before is made anew."""


def deliveries(
    library: str, loans: int, *, seed: int = 1, bad: float = 0.0, only: tuple[str, ...] | None = None, folder: Path = FOLDER
) -> tuple[Path, list[Answer]]:
    """(folder of the first day's files, their answers); made at the first call, found at later ones."""
    tables = "-".join(only) if only else "all"
    home = folder / f"{library}-{loans}-{seed}-{bad:g}-{tables}-v{_VERSION}"
    sheet = home / library / "answers.json"
    if not sheet.is_file():
        # A run that was broken off leaves no sheet: what it wrote is written anew.
        shutil.rmtree(home, ignore_errors=True)
        make(library, loans, home, seed=seed, bad=bad, only=only, two_days=False)
    return home / library / "day1", list(load(sheet).files)


def loans(library: str, count: int, *, bad: float = 0.0, folder: Path = FOLDER) -> tuple[Path, Answer]:
    """(the file of `count` loans, its answer), without any other table. A library that delivers events has two to three rows a loan."""
    where, answers = deliveries(library, count, bad=bad, only=("loan",), folder=folder)
    largest = max(answers, key=lambda answer: answer.records)
    return where / largest.file, largest


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.data", description="Make the benches' data beforehand.")
    parser.add_argument("--loans", type=int, default=1_000_000)
    parser.add_argument("--library", default="havnsund")
    given = parser.parse_args()
    begin = time.perf_counter()
    path, answer = loans(given.library, given.loans)
    print(f"{path}: {answer.records:,} records, {path.stat().st_size / 1e6:.0f} MB, {time.perf_counter() - begin:.1f} s")


if __name__ == "__main__":
    main()
