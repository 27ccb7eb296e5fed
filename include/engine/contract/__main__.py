"""Looks contracts over, and writes their pages.

python -m include.engine.contract check
python -m include.engine.contract pages OUT_DIR
"""

from __future__ import annotations

import sys
from pathlib import Path

from include.engine.contract.loading import FOLDER, load_all

USAGE = "python -m include.engine.contract check | pages OUT_DIR"


def main(arguments: list[str]) -> int:
    """Exit status: 0, 1 when a contract is not in order, 2 when the arguments are none of those above."""
    match arguments:
        case ["check"]:
            from include.engine.contract.check import check_all

            problems = check_all()
            print("\n".join(problems) if problems else f"{len(load_all())} contracts in {FOLDER.name}: all in order")
            return 1 if problems else 0
        case ["pages", folder]:
            from include.engine.contract.page import write_pages

            written = write_pages(load_all(), Path(folder))
            print(f"{len(written)} pages; start at {written[0]}")
            return 0
        case _:
            print(USAGE, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
