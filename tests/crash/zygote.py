"""A warm parent that forks one process a step: an import of Great Expectations costs seconds, a fork milliseconds.

It imports everything, and uses none of it: threads of polars or of Delta's runtime do not live through a fork. It reads a line of JSON for each
process to start, and writes one when a process stops, ends or is killed. All its children die with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import select
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

WARM = (
    "include.engine.inbound.receive", "include.engine.inbound.gate", "include.engine.inbound.publish", "include.engine.inbound.acknowledge",
    "include.engine.dispatch.look", "include.engine.erasure.erase", "include.engine.lake.maintenance", "connectors.ils.inbound",
    "connectors.oai_pmh.inbound", "include.engine.dispatch.start",
    "include.engine.ledger.migrations.run", "time_machine", "tests.crash.state", "tests.crash.task", "duckdb", "great_expectations",
)  # fmt: skip


def main() -> int:
    for module in WARM:
        import_module(module)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    names: dict[int, int] = {}
    _say(ready=os.getpid())
    pending = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(woken, 4096)
        if 0 in ready:
            got = os.read(0, 65536)
            if not got:
                break
            *lines, pending = (pending + got).split(b"\n")
            for line in lines:
                wanted = json.loads(line)
                pid = _start(wanted)
                names[pid] = wanted["number"]
                _say(number=wanted["number"], started=pid)
        _reap(names)
    for pid in names:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return 0


def _start(wanted: dict[str, Any]) -> int:
    parent = os.getpid()
    if pid := os.fork():
        return pid
    code = 1
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ.update(wanted["env"])
        code = _work(wanted)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)  # a fork runs none of its parent's exit handlers


def _work(wanted: dict[str, Any]) -> int:
    from include.engine import failpoints
    from tests.crash.task import run

    logging.basicConfig(level=logging.INFO, stream=sys.stderr, force=True)
    code, said = run(wanted["name"], wanted["arguments"], os.environ)
    told = json.dumps({"said": said, "passed": dict(failpoints.passed)})
    Path(wanted["answer"]).write_text(told)
    print(f"ends with {code}: {said}", file=sys.stderr)
    return code


def _reap(names: dict[int, int]) -> None:
    while names:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
        except ChildProcessError:
            return
        if not pid:
            return
        if os.WIFSTOPPED(status):
            _say(number=names[pid], stopped=True)
        else:
            _say(number=names.pop(pid), ended=os.waitstatus_to_exitcode(status))


def _say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
