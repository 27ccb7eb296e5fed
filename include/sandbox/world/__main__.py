"""`python -m include.sandbox.world --library lindeby --loans 100000 --seed 1 --out DIR [--bad 0.02]`"""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path

from include.sandbox.world import make
from include.sandbox.world.libraries import LIBRARIES
from include.sandbox.world.world import LAST_DAY, LEAST, MOST

TABLES = ("bibliographic", "authority", "item", "patron", "loan", "hold", "fee")


def main(arguments: list[str] | None = None) -> int:
    """Writes the deliveries of one library, or of all, and says what they hold."""
    parser = argparse.ArgumentParser(
        prog="python -m include.sandbox.world", description="Deliveries of a made-up library, with an answer sheet."
    )
    parser.add_argument("--library", required=True, choices=[*LIBRARIES, "all"])
    parser.add_argument("--loans", type=int, default=LEAST, help=f"how many loans in two years, from {LEAST} to {MOST}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="folder: <out>/<library>/day1, day2 and answers.json")
    parser.add_argument("--bad", type=float, default=0.0, help="share of deliberately broken records, such as 0.02")
    parser.add_argument("--last", type=date.fromisoformat, default=LAST_DAY, help="the first delivery's day, YYYY-MM-DD")
    parser.add_argument("--only", action="append", choices=TABLES, help="write these tables only, and the first day only")
    parser.add_argument("--first-day-only", action="store_true")
    given = parser.parse_args(arguments)
    for library in LIBRARIES if given.library == "all" else [given.library]:
        sheet = make(
            library,
            given.loans,
            given.out,
            seed=given.seed,
            bad=given.bad,
            last=given.last,
            only=given.only,
            two_days=not (given.only or given.first_day_only),
        )
        for answer in sheet.files:
            broken = sum(answer.set_aside.values())
            print(f"{library} day {answer.day}  {answer.file:32} {answer.records:>10,} records  {broken:>7,} broken  {answer.outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
