"""Some seconds of damage, with every byte that the compiled part touches watched: `make fuzz` does it for as long as one likes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.marc import sanitized


def test_damaged_pages_are_taken_as_a_parser_takes_them_and_no_byte_out_of_place_is_touched(tmp_path: Path) -> None:
    around = sanitized.environment(tmp_path)
    if around is None:
        pytest.skip("there is no compiler with sanitizers")
    command = [sys.executable, "-m", "tests.connectors.oai_pmh.harvest.fuzz", "--minutes", "0.05", "--seed", "1"]
    done = subprocess.run(command, env=around, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "taken in one pass" in done.stdout
