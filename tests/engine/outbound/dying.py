"""Tries that die or stop at a failpoint: python -m tests.engine.outbound.dying HOW < one JSON line a try, {"home", "delivery", "point"}

One process imports everything and forks for each try: an import costs seconds, a fork milliseconds. HOW is DIE or STOP. A line is written for each:
"killed", "ended", or "stopped <pid>"; a stopped one goes on when its process id is written to standard input, and "ended" or "killed" follows.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from include.engine.credentials import EnvironmentCredentials
from include.engine.engine import Engine
from include.engine.errors import BinderyError
from include.engine.outbound.confirm import confirm
from include.engine.outbound.render import render
from include.engine.outbound.select import select
from include.engine.outbound.send import send
from include.engine.outbound.settings import OutboundFlow
from tests.engine.outbound import letter
from tests.house import MASTER


def attempt(folder: Path, delivery: str) -> None:
    """All four steps, as Airflow runs them."""
    from include.engine.ledger import Ledger

    letter.box = folder / "box"
    engine = Engine(
        folder / "home",
        Ledger(f"sqlite:///{folder}/ledger.db"),
        EnvironmentCredentials(MASTER),
        {"letters": OutboundFlow},
        folder / "partners",
    )
    try:
        for step in (select, render, send, confirm):
            step(engine, delivery, letter)
    except BinderyError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)


def main(how: str) -> None:
    """A fork for each line of standard input."""
    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if not pid:
            os.environ[f"BINDERY_{how}_AT"] = asked["point"]
            attempt(Path(asked["home"]), asked["delivery"])
            os._exit(0)
        _, status = os.waitpid(pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            print(f"stopped {pid}", flush=True)
            sys.stdin.readline()
            os.kill(pid, signal.SIGCONT)
            _, status = os.waitpid(pid, 0)
        print("killed" if os.WIFSIGNALED(status) else "ended", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
