"""`python -m tests.crash --seeds N [--point P] [--airflow]`: kill -9 at every point of a delivery's life, and a table of what came of it."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from include.engine.failpoints import POINTS
from tests.crash.cases import Found, Stage, cases, play
from tests.crash.meetings import meetings
from tests.crash.processes import zygote


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="how many worlds; each kills once at each point")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--point", choices=POINTS, help="this point only")
    parser.add_argument(
        "--kind", choices=["kill", "later", "overlap", "give up", "dispatch", "two dispatches", "met"], help="this kind only"
    )
    given = parser.parse_args()
    points = {given.point: POINTS[given.point]} if given.point else POINTS
    folder = Path(tempfile.mkdtemp(prefix="bindery_crash_"))
    all_found: list[Found] = []
    wrong: list[str] = []
    with zygote() as warm:
        for seed in range(given.first, given.first + given.seeds):
            stage = Stage.set(warm, folder / f"seed {seed}", seed)
            wrong += [f"seed {seed}: {text}" for text in stage.against_the_answer_sheet()]
            for case in cases(stage, points, later=not given.point):
                if given.kind in (None, case.kind):
                    found = play(stage, case)
                    all_found.append(found)
                    wrong += [f"{case}: {text}" for text in found.wrong]
                    print(f"  {'.' if not found.wrong else 'WRONG'} {case} {found.seconds:.1f} s {'; '.join(found.wrong)}", flush=True)
            if given.kind in (None, "met") and not given.point:
                for found in meetings(warm, folder / f"meetings {seed}", seed):
                    all_found.append(found)
                    wrong += [f"{found.case}: {text}" for text in found.wrong]
            shutil.rmtree(stage.folder / "base", ignore_errors=True)
    table(all_found)
    print(*wrong, sep="\n")
    if wrong:
        print(f"homes and logs of what went wrong: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return bool(wrong)


def table(found: list[Found]) -> None:
    """A line for each kind and point: how many cases, processes killed, and cases in which something did not hold."""
    lines: dict[tuple[str, str], list[Found]] = defaultdict(list)
    for one in found:
        lines[one.case.kind, one.case.point or f"any moment of {one.case.step}"].append(one)
    print(f"{'':10} {'point':26} {'cases':>6} {'killed':>7} {'wrong':>6}")
    for (kind, point), some in lines.items():
        print(f"{kind:10} {point:26} {len(some):>6} {sum(one.killed for one in some):>7} {sum(bool(one.wrong) for one in some):>6}")
    print(f"{'':10} {'in all':26} {len(found):>6} {sum(one.killed for one in found):>7} {sum(bool(one.wrong) for one in found):>6}")


if __name__ == "__main__":
    sys.exit(main())
