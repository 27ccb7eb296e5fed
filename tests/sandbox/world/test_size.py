"""A large world streams: what memory holds follows from the stock, not from the loans."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from include.sandbox.world import world
from include.sandbox.world.world import MOST

CHILD = """
import json, sys
from pathlib import Path
from include.sandbox.world import make
sheet = make("havnsund", 1_000_000, Path(sys.argv[1]), bad=0.02, only=["loan"], two_days=False)
# Not ru_maxrss: Linux carries the parent's over into a new program, and the tests' own process is large.
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([sheet.files[0].records, sheet.files[0].good, peak * 1024]))
"""


def test_a_million_loans_are_written_in_less_than_500_mb(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path)], capture_output=True, text=True, check=True)
    records, good, peak = json.loads(done.stdout)
    assert (records, good) == (1_020_408, 1_000_000)
    assert 0 < peak < 500_000_000


@pytest.mark.parametrize("loans", [0, 999, MOST + 1])
def test_a_world_has_a_thousand_to_five_million_loans(loans: int) -> None:
    with pytest.raises(ValueError, match="a world has"):
        world("lindeby", loans)


def test_an_unknown_library_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="lindeby, havnsund, almvik, molendal"):
        world("nowhere", 1_000)
