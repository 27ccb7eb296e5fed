"""Pages under random damage: whatever marks.py takes in one pass, a parser takes too, and its records are the same.
python -m tests.connectors.oai_pmh.harvest.fuzz --minutes 10 [--sanitized]"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from connectors.oai_pmh.harvest.marks import is_utf8, marks
from connectors.oai_pmh.harvest.page import fault_of
from tests.connectors.oai_pmh.harvest.test_marks import NO_XML, NOT_PLAIN, ODD, PIECES, PLAIN, same_columns
from tests.marc import sanitized

SIGNS = b"<>&/=\"' :x]\xef\xbf\xbe\x00"


def damaged(page: bytes, chance: random.Random) -> bytes:
    """The page after up to four accidents."""
    found = bytearray(page)
    for _ in range(chance.randint(0, 4)):
        at, kind = chance.randint(0, len(found)), chance.random()
        if kind < 0.4:
            found[at : at + chance.randint(0, 3)] = chance.choice(PIECES).encode()
        elif kind < 0.7:
            found[at : at + chance.randint(0, 30)] = b""
        elif kind < 0.8:
            del found[at:]
        else:
            found[at:at] = bytes([chance.choice(SIGNS)])
    return bytes(found)


def run(seconds: float, seed: int) -> tuple[int, int]:
    """How many pages were looked at, and how many of them were taken. AssertionError with the page at fault."""
    pages = [page.rstrip() for page in (PLAIN | ODD | NOT_PLAIN | NO_XML).values()]
    chance, looked, taken, until = random.Random(seed), 0, 0, time.monotonic() + seconds
    while time.monotonic() < until:
        page = damaged(chance.choice(pages), chance)
        looked += 1
        if not is_utf8(page):
            continue
        for element in ("header", ""):
            marks(page, element)
        if marks(page, "record") is not None:
            taken += 1
            assert fault_of(page) is None, page
            if taken % 10 == 0:
                same_columns(page)
    return looked, taken


def main() -> None:
    """Run, with sanitizers in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--sanitized", action="store_true")
    asked = parser.parse_args()
    if asked.sanitized:
        with tempfile.TemporaryDirectory() as folder:
            around = sanitized.environment(Path(folder))
            if around is None:
                sys.exit("there is no compiler with sanitizers")
            rest = ["--minutes", str(asked.minutes), "--seed", str(asked.seed)]
            sys.exit(subprocess.run([sys.executable, "-m", __spec__.name, *rest], env=around, check=False).returncode)  # type: ignore[union-attr]
    looked, taken = run(asked.minutes * 60, asked.seed)
    print(f"{looked:,} pages, {taken:,} of them taken in one pass, each as a parser takes it (seed {asked.seed})")


if __name__ == "__main__":
    main()
