"""Processes as the harness sees them: started by the zygote, killed, stopped, resumed, waited for."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
KILLED = -signal.SIGKILL
PATIENCE = 120.0


@dataclass
class Process:
    """One process; `code` is its exit status once it has ended (-9 when it was killed)."""

    zygote: Zygote
    number: int
    name: str
    answer: Path
    log: Path
    pid: int = 0
    stopped: bool = False
    code: int | None = None

    def wait(self, seconds: float = PATIENCE) -> int:
        """Until it has ended; its exit status."""
        self.zygote.until(lambda: self.code is not None, seconds, f"{self.name} to end ({self.log})")
        assert self.code is not None
        return self.code

    def wait_stopped(self, seconds: float = PATIENCE) -> bool:
        """Until it has stopped or ended; whether it has stopped."""
        self.zygote.until(lambda: self.stopped or self.code is not None, seconds, f"{self.name} to stop")
        return self.code is None

    def resume(self) -> None:
        """Go on after a stop."""
        self.stopped = False
        os.kill(self.pid, signal.SIGCONT)

    def kill_after(self, seconds: float) -> int:
        """Kill it from outside that long after its start, unless it has ended by then; its exit status."""
        deadline = time.monotonic() + seconds
        while self.code is None and (left := deadline - time.monotonic()) > 0:
            self.zygote.hear(left)
        if self.code is None:
            with suppress(ProcessLookupError):  # it has ended, and its parent has not said so yet
                os.kill(self.pid, signal.SIGKILL)
        return self.wait()

    def said(self) -> Any:
        """What it told at its end; None when it was killed."""
        return json.loads(self.answer.read_text())["said"] if self.answer.exists() else None

    def passed(self) -> dict[str, int]:
        """How often it came to each point, when it was told to die or stop anywhere."""
        return dict(json.loads(self.answer.read_text())["passed"]) if self.answer.exists() else {}


@dataclass
class Zygote:
    """The warm parent; `start` forks a process from it."""

    server: subprocess.Popen[bytes]
    processes: dict[int, Process] = field(default_factory=dict)
    pending: bytes = b""

    def start(self, name: str, *arguments: str, home: Path, env: Mapping[str, str]) -> Process:
        """Start an action of tests/crash/task.py in a process of its own."""
        number = len(self.processes) + 1
        logs = home.parent / "processes"
        logs.mkdir(exist_ok=True)
        process = Process(self, number, name, logs / f"{number:05}-{name}.json", logs / f"{number:05}-{name}.log")
        self.processes[number] = process
        wanted = {
            "number": number,
            "name": name,
            "arguments": list(arguments),
            "env": dict(env),
            "log": str(process.log),
            "answer": str(process.answer),
        }
        assert self.server.stdin is not None
        self.server.stdin.write(json.dumps(wanted).encode() + b"\n")
        self.server.stdin.flush()
        self.until(lambda: process.pid > 0, PATIENCE, f"{name} to start")
        return process

    def until(self, done: Any, seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {seconds:.0f} s for {what}")
            self.hear(1.0)

    def hear(self, seconds: float) -> None:
        """Take in what the zygote says, waiting up to `seconds` for it."""
        assert self.server.stdout is not None
        out = self.server.stdout.fileno()
        if not select.select([out], [], [], seconds)[0]:
            return
        got = os.read(out, 65536)
        if not got:
            raise RuntimeError("the zygote is gone")
        *lines, self.pending = (self.pending + got).split(b"\n")
        for told in map(json.loads, lines):
            if "ready" in told:
                continue
            process = self.processes[told["number"]]
            process.pid = told.get("started", process.pid)
            process.stopped = told.get("stopped", process.stopped)
            process.code = told.get("ended", process.code)


@contextmanager
def zygote() -> Iterator[Zygote]:
    """A zygote, warm; it and its children are gone at the end."""
    command = [sys.executable, "-m", "tests.crash.zygote"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("BINDERY_", "AIRFLOW_CONN_"))}
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    made = Zygote(server)
    try:
        made.hear(PATIENCE)
        yield made
    finally:
        assert server.stdin is not None
        server.stdin.close()
        server.wait(timeout=30)
