"""A large world streams: what memory holds follows from the stock, not from the loans."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from include.sandbox.world import world
from include.sandbox.world.world import MOST

CHILD = """
import json, resource, sys
from pathlib import Path
from include.sandbox.world import make
sheet = make("havnsund", 1_000_000, Path(sys.argv[1]), bad=0.02, only=["loan"], two_days=False)
print(json.dumps([sheet.files[0].records, sheet.files[0].good, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


def test_a_million_loans_are_written_in_less_than_500_mb(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path)], capture_output=True, text=True, check=True)
    records, good, peak = json.loads(done.stdout)
    assert (records, good) == (1_020_408, 1_000_000)
    unit = 1 if sys.platform == "darwin" else 1024
    assert peak * unit < 500_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0


@pytest.mark.parametrize("loans", [0, 999, MOST + 1])
def test_a_world_has_a_thousand_to_five_million_loans(loans: int) -> None:
    with pytest.raises(ValueError, match="a world has"):
        world("lindeby", loans)


def test_an_unknown_library_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="lindeby, havnsund, almvik, molendal"):
        world("nowhere", 1_000)
