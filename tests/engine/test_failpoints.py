"""The points at which the crash harness ends and stops processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from include.engine.failpoints import FETCH_POINTS, FORWARDING_POINTS, POINTS, REWRAP_POINTS, passed, point
from include.engine.outbound.points import POINTS as OUTBOUND

ROOT = Path(__file__).parents[2]
THREE = "from include.engine.failpoints import point\nfor _ in range(3): point('stage.batch'); print('passed', flush=True)"


def run(**env: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", THREE], cwd=ROOT, env=os.environ | env, stdout=subprocess.PIPE, text=True)


def test_every_point_in_the_code_is_in_the_table_and_every_one_of_the_table_is_in_the_code() -> None:
    code = "".join(file.read_text() for floor in ("include/engine", "connectors") for file in (ROOT / floor).rglob("*.py"))
    assert sorted(set(re.findall(r'\bpoint\("([a-z.]+)"\)', code))) == sorted(
        {**POINTS, **FETCH_POINTS, **FORWARDING_POINTS, **REWRAP_POINTS, **OUTBOUND}
    )


def test_without_its_variables_a_point_does_nothing_and_counts_nothing() -> None:
    point("stage.batch")
    assert not passed


def test_a_process_dies_the_named_time_it_comes_to_a_point() -> None:
    process = run(BINDERY_DIE_AT="receive.claimed,stage.batch:2")
    assert process.communicate()[0] == "passed\n"
    assert process.returncode == -signal.SIGKILL


def test_of_all_processes_one_dies_at_a_point_and_leaves_its_id(tmp_path: Path) -> None:
    first = run(BINDERY_DIE_AT="stage.batch", BINDERY_ONCE=str(tmp_path))
    assert first.wait() == -signal.SIGKILL
    assert (tmp_path / "stage.batch").read_text() == str(first.pid)
    second = run(BINDERY_DIE_AT="stage.batch", BINDERY_ONCE=str(tmp_path))
    assert second.communicate()[0].count("passed") == 3


@pytest.mark.parametrize("variable", ["BINDERY_STOP_AT", "BINDERY_WAIT_AT"])
def test_a_process_stops_at_a_point_until_it_is_told_to_go_on(variable: str, tmp_path: Path) -> None:
    process = run(**{variable: "stage.batch:3", "BINDERY_ONCE": str(tmp_path)})
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["passed\n"] * 2
    if variable == "BINDERY_STOP_AT":
        assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
    while process.poll() is None:  # a process that is not waiting yet takes no notice of SIGCONT
        process.send_signal(signal.SIGCONT)
        time.sleep(0.05)
    assert (process.stdout.read(), process.returncode) == ("passed\n", 0)
