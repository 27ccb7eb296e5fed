"""One of our own servers as a process: `python -m ...` on a free port, which ends when its parent does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from include.sandbox.servers.ports import die_with_parent, wait_until_open

ROOT = Path(__file__).resolve().parents[3]


@contextmanager
def served(module: str, arguments: Sequence[str], port: int, *, env: Mapping[str, str], log: Path, seconds: float = 60) -> Iterator[int]:
    """Run `python -m module arguments` until the block ends; yields its process id once `port` answers.

    RuntimeError with the log's last words when it does not. Start it from a thread that lives as long as the server must (the main
    one): Linux sends the parent's death signal when the thread that forked ends.
    """
    with running([sys.executable, "-m", module, *arguments], module, port, env=env, log=log, seconds=seconds) as pid:
        yield pid


@contextmanager
def running(
    command: Sequence[str], name: str, port: int, *, env: Mapping[str, str] | None = None, log: Path, seconds: float = 60
) -> Iterator[int]:
    """The same for any command, in the root of the repository; `env` is this process's own where it is not given."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, preexec_fn=die_with_parent,
        )  # fmt: skip
    try:
        if not wait_until_open(port, seconds, process) or process.poll() is not None:
            raise RuntimeError(f"{name} did not start: {log.read_text(errors='replace')[-600:]}")
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
