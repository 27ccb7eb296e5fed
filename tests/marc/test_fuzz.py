"""Short runs of what `make fuzz` does for as long as one likes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.marc import sanitized
from tests.marc.fuzz import main


def test_random_damage_breaks_nothing(tmp_path: Path) -> None:
    assert main(3.0, 20261122, tmp_path / "failed.mrc") > 3


def test_the_compiled_readers_touch_no_byte_that_is_not_theirs(tmp_path: Path) -> None:
    around = sanitized.environment(tmp_path)
    if around is None:
        pytest.skip("there is no compiler with sanitizers")
    command = [sys.executable, "-m", "tests.marc.fuzz", "--minutes", "0.03", "--seed", "20261122"]
    done = subprocess.run(command, env=around, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(list((tmp_path / "bindery").glob("marc-*.so"))) == 2


def test_a_byte_out_of_place_is_seen(tmp_path: Path) -> None:
    around = sanitized.environment(tmp_path)
    if around is None:
        pytest.skip("there is no compiler with sanitizers")
    beyond = (
        "import ctypes, numpy as np; from include.marc.iso2709 import compiled\n"
        "some = np.zeros(4000, np.uint8)\n"
        "compiled.functions().count_byte(ctypes.c_void_p(some.ctypes.data), ctypes.c_int64(4001), 0)"
    )
    done = subprocess.run([sys.executable, "-c", beyond], env=around, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "heap-buffer-overflow" in done.stderr
