"""Keeps processes, and leaves none behind: `python -m include.sandbox.keeper COMMANDS.json`, ended by closing its standard input.

Airflow's scheduler forks workers that fork tasks, and some of them outlive a signal to their parent. So the keeper adopts every orphan below it
(PR_SET_CHILD_SUBREAPER, Linux) and at the end stops the whole tree: first in peace, then by force. It ends when its standard input closes, so
that even a parent killed with -9 leaves nothing running.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

PR_SET_CHILD_SUBREAPER = 36
PEACE_SECONDS = 8.0


def main(commands_file: str) -> int:
    """Start `{name: {"args": [...], "log": path}}`; print `ended NAME CODE` when one ends by itself; stop all when standard input closes."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    stopping = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    running = {name: _start(spec) for name, spec in json.loads(Path(commands_file).read_text()).items()}
    try:
        while not stopping:
            ready, _, _ = select.select([sys.stdin], [], [], 0.5)
            if ready and not sys.stdin.readline():
                break
            for name, process in list(running.items()):
                if (code := process.poll()) is not None:
                    del running[name]
                    print(f"ended {name} {code}", flush=True)
            _reap_orphans({process.pid for process in running.values()})
    finally:
        _stop_tree()
    return 0


def _start(spec: dict[str, object]) -> subprocess.Popen[bytes]:
    args, log = spec["args"], spec["log"]
    assert isinstance(args, list) and isinstance(log, str)
    with Path(log).open("ab") as out:
        return subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)


def _reap_orphans(ours: set[int]) -> None:
    """Collect adopted children that have ended, but not those whose exit code a Popen object still wants."""
    for pid in _children(os.getpid()):
        if pid not in ours:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    except OSError:
        return []


def descendants(pid: int) -> list[int]:
    """Every process below `pid`, nearest first."""
    found: list[int] = []
    queue = _children(pid)
    while queue:
        child = queue.pop(0)
        found.append(child)
        queue.extend(_children(child))
    return found


def _stop_tree() -> None:
    deadline = time.monotonic() + PEACE_SECONDS
    for pid in descendants(os.getpid()):
        _signal(pid, signal.SIGTERM)
    while (left := _alive()) and time.monotonic() < deadline:
        time.sleep(0.1)
    while left := _alive():
        for pid in left:
            _signal(pid, signal.SIGKILL)
        time.sleep(0.1)


def _alive() -> list[int]:
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                break
        except ChildProcessError:
            break
    return descendants(os.getpid())


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
