"""kill -9 in mid-sync, seed by seed: python -m tests.crash.crm --seeds 50

A register goes to a Salesforce org on a real socket, as bulk jobs or in small calls, and rows of it are refused, locked or left undone. The sync is
killed at points of the engine and at answers of the org that never arrive, and begun again as Airflow begins a task again. In the end the org
must hold what the register holds, record by record; no row may have gone with two contents; every refused row is set aside once. Then the
register changes, some withdraw their consent, and all goes again.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from connectors.crm import outbound
from connectors.crm.settings import FLOWS
from include.engine.credentials import EnvironmentCredentials
from include.engine.delivery import State
from include.engine.engine import ROOT, Engine
from include.engine.errors import BinderyError
from include.engine.ledger import Ledger, parts, quarantined
from include.engine.outbound.confirm import confirm
from include.engine.outbound.points import POINTS
from include.engine.outbound.render import render
from include.engine.outbound.select import select
from include.engine.outbound.send import send
from include.sandbox.servers.salesforce import SalesforceServer, salesforce_server
from tests.connectors.crm.conftest import Library, quick
from tests.house import MASTER

FAULTS = (
    "job_created_500",
    "upload_500",
    "upload_lost",
    "close_500",
    "result_500",
    "job_failed",
    "job_aborted",
    "lock_rows",
    "session_expires",
)
PATRONS = 24


@dataclass
class Found:
    """What a seed showed."""

    seed: int
    killed: int = 0
    tries: int = 0
    wrong: list[str] = field(default_factory=list)


def attempt(folder: Path, delivery: str, connection: str) -> None:
    """All four steps, as Airflow runs them, in a process of its own."""
    engine = Engine(
        folder / "home",
        Ledger(f"sqlite:///{folder}/ledger.db"),
        EnvironmentCredentials({**MASTER, "AIRFLOW_CONN_LINDEBY_CRM": connection}),
        FLOWS,
        folder / "partners",
    )
    with suppress(BinderyError):
        for step in (select, render, send, confirm):
            step(engine, delivery, outbound)


def forks() -> None:
    """A fork for each line of standard input; writes its process id, then how it ended."""
    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if not pid:
            if asked["point"]:
                os.environ["BINDERY_DIE_AT"] = asked["point"]
            attempt(Path(asked["folder"]), asked["delivery"], asked["connection"])
            os._exit(0)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print("killed" if os.WIFSIGNALED(status) else "ended", flush=True)


@contextmanager
def forking() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.crash.crm", "--forks"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()


@dataclass
class Stage:
    """One seed's library and org."""

    library: Library
    org: SalesforceServer
    forker: subprocess.Popen[str]
    folder: Path
    chance: random.Random
    found: Found

    def hurt(self, delivery: str) -> None:
        """A try that dies at a point of the engine, or when the org has done a call and its answer is on the way."""
        point = self.chance.choice([*POINTS, "", "", ""])
        point = f"{point}:{self.chance.randint(1, 2)}" if point.startswith("send.") else point
        assert self.forker.stdin is not None and self.forker.stdout is not None
        asked = {"folder": str(self.folder), "delivery": delivery, "point": point, "connection": quick(self.org.connection())}
        self.forker.stdin.write(f"{json.dumps(asked)}\n")
        self.forker.stdin.flush()
        pid, left = int(self.forker.stdout.readline()), [self.chance.randint(1, 12)]

        def answered() -> None:
            left[0] -= 1
            if left[0] == 0 and not point:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

        self.org.state.answered = answered
        self.found.killed += self.forker.stdout.readline().strip() == "killed"
        self.org.state.answered = None
        self.found.tries += 1

    def sync(self, what: str) -> None:
        """A sync that is hurt a few times and then left alone."""
        before = dict(self.org.state.ingest.jobs)
        delivery = self.library.begun().id
        for fault in self.chance.sample(FAULTS, 2):
            self.org.state.faults.set(fault)
        for _ in range(self.chance.randint(2, 5)):
            self.hurt(delivery)
        for _ in range(6):
            done = self.library.run(delivery)
            self.found.tries += 1
            if done.state == State.ACKNOWLEDGED:
                break
        self.org.state.faults.left.clear()
        if done.state != State.ACKNOWLEDGED:
            self.found.wrong.append(f"{what}: it ended {done.state}: {done.message}")
            return
        self.judge(what, delivery, [job for id, job in self.org.state.ingest.jobs.items() if id not in before])

    def judge(self, what: str, delivery: str, jobs: list[object]) -> None:
        ledger, world = self.library.engine.ledger, self.org.state.org
        should = {self.library.external(one): row for one, row in self.library.register.items() if row["consent"]}
        good = {key: row["email"] for key, row in should.items() if "@" in row["email"]}
        there = {one["Bindery_Id__c"]: one["Email"] for one in world.all("Contact") if one["LastName"] != "Anonymised"}
        stale = {key for key in set(should) - set(good) if key in there}  # refused now, and there from before
        if {key: email for key, email in there.items() if key not in stale} != good:
            self.found.wrong.append(f"{what}: {len(there)} records there, {len(good)} should be")
        if len(world.all("Contact")) != len({one["Bindery_Id__c"] for one in world.all("Contact")}):
            self.found.wrong.append(f"{what}: a record is there twice")
        sent: dict[str, set[str]] = {}
        for job in jobs:
            for row in csv.DictReader(io.StringIO(job.body.decode())):  # type: ignore[attr-defined]
                sent.setdefault(row["Bindery_Id__c"], set()).add(json.dumps(row, sort_keys=True))
        if twice := [key for key, contents in sent.items() if len(contents) > 1]:
            self.found.wrong.append(f"{what}: {len(twice)} rows went with two contents")
        open_jobs = [job for job in jobs if job.state not in {"JobComplete", "Failed", "Aborted"}]  # type: ignore[attr-defined]
        if open_jobs:
            self.found.wrong.append(f"{what}: {len(open_jobs)} jobs were left behind")
        aside = [one.member for one in quarantined.find(ledger, delivery_id=delivery, limit=1000)]
        refused = sum(int(part.facts.get("refused", 0)) for part in parts.of(ledger, delivery))
        if len(aside) != len(set(aside)) or len(aside) != refused:
            self.found.wrong.append(f"{what}: {len(aside)} rows set aside, {refused} refused")
        if [path for path in (self.library.engine.home / "staging").rglob("*") if path.is_file()]:
            self.found.wrong.append(f"{what}: staged files were left behind")


def play(seed: int, folder: Path, forker: subprocess.Popen[str], org: SalesforceServer) -> Found:
    """Two syncs of one seed."""
    chance, found = random.Random(seed), Found(seed)
    org.state.reset()
    ledger = Ledger(f"sqlite:///{folder}/ledger.db")
    ledger.migrate()
    library = Library.build(folder, ledger, outbound, FLOWS, "lindeby", {"AIRFLOW_CONN_LINDEBY_CRM": quick(org.connection())})
    library.settle(f"    bulk_from: {chance.choice([1, 1, 1000])}\n    brake: {{changed: 100%, removed: 100%}}\n")
    org.state.page_rows = chance.choice([3, 1000])
    stage = Stage(library, org, forker, folder, chance, found)

    def email(number: int) -> str:
        return "no address" if chance.random() < 0.1 else f"{chance.randrange(10**6)}.{number}@lindeby.example"

    library.has(**{f"p{number}": {"email": email(number), "consent": chance.random() < 0.8} for number in range(PATRONS)})
    stage.sync("the first sync")
    changed = chance.sample(range(PATRONS), PATRONS // 3)
    library.has(**{f"p{number}": {"email": email(number), "consent": chance.random() < 0.6} for number in changed})
    stage.sync("the second sync")
    return found


def seeds(numbers: range) -> Iterator[Found]:
    """Play each seed in an installation of its own."""
    with tempfile.TemporaryDirectory() as folder, salesforce_server(Path(folder) / "tls") as org, forking() as forker:
        for seed in numbers:
            home = Path(folder) / f"seed-{seed}"
            home.mkdir()
            yield play(seed, home, forker, org)
            shutil.rmtree(home, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.crm", description=__doc__)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--forks", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.forks:
        forks()
        return
    bad = 0
    for found in seeds(range(given.first, given.first + given.seeds)):
        bad += bool(found.wrong)
        print(
            f"seed {found.seed}: {found.killed} killed of {found.tries} tries{'; ' + '; '.join(found.wrong) if found.wrong else ''}",
            flush=True,
        )
    raise SystemExit(1 if bad else 0)


if __name__ == "__main__":
    main()
