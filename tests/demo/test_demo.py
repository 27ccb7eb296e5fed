"""The demo, for real: Airflow's own scheduler, servers on real sockets, and nothing left behind however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from include.engine.engine import ROOT
from include.sandbox.keeper import descendants

pytestmark = [pytest.mark.demo, pytest.mark.airflow, pytest.mark.timeout(1500)]
COMMAND = [sys.executable, "-m", "include.sandbox.demo"]


def _alive(pids: list[int]) -> list[int]:
    """Those that still run; a zombie that waits to be collected does not."""
    return [
        pid
        for pid in pids
        if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    ]


def _start(log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen(COMMAND, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=out, stderr=subprocess.STDOUT)


def _until_airflow_runs(demo: subprocess.Popen[bytes], log: Path) -> list[int]:
    """Wait until the scheduler is there, and return every process below the demo."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        below = descendants(demo.pid)
        if any(b"scheduler" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in below if Path(f"/proc/{pid}/cmdline").exists()):
            time.sleep(5)  # its workers too
            return descendants(demo.pid)
        assert demo.poll() is None, log.read_text()
        time.sleep(0.5)
    raise AssertionError(f"the scheduler never ran: {log.read_text()}")


def _none_left(pids: list[int]) -> None:
    deadline = time.monotonic() + 60
    while (left := _alive(pids)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == [], [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in left]


def test_every_figure_of_the_demo_is_as_it_must_be() -> None:
    done = subprocess.run(
        [*COMMAND, "--once"], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    print(done.stdout[-6000:])
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
    assert "Every figure is as it must be" in done.stdout


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_demo_is_ended_no_process_stays_behind(tmp_path: Path, how: signal.Signals) -> None:
    log = tmp_path / "demo.log"
    demo = _start(log)
    below = _until_airflow_runs(demo, log)
    assert len(below) > 5
    demo.send_signal(how)
    demo.wait(timeout=90)
    _none_left(below)
