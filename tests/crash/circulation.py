"""kill -9 of the sidecar under load and of its journal's DAG in mid-run, seed by seed: python -m tests.crash.circulation --seeds 50

Kiosks borrow and give back while the sidecar is killed and started again; meanwhile the steps of `circulation_journal` are killed too, at
points of the fetch, the publish and the acknowledgement, and at any moment, and run again as Airflow runs a task again. In the end what was
answered ok is in the journal, once, in order; and the lake has each loan and each return of it, once, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from connectors import flow_models
from connectors.circulation.journal import read
from include.engine.credentials import EnvironmentCredentials
from include.engine.delivery import State
from include.engine.engine import ROOT, Engine
from include.engine.failpoints import FETCH_POINTS
from include.engine.lake import read as lake_read
from include.engine.lake.table import exists
from include.engine.ledger import deliveries
from tests.crash.processes import KILLED, Process, Zygote, zygote
from tests.crash.task import DONE, STEPS
from tests.house import MASTER

FLOW, PARTNER = "circulation_journal", "almvik"
KIOSKS, ITEMS = 4, 120
POINTS = {
    "receive": (*FETCH_POINTS, "landing.sealed", "receive.landed", "stage.written", "stage.recorded"),
    "gate": ("gate.bound", "gate.recorded"),
    "publish": ("publish.before", "lake.written", "lake.committed", "publish.table", "publish.committed", "publish.recorded"),
    "acknowledge": ("acknowledge.receipt", "acknowledge.purged"),
}
CERTAIN = "pull.begun"
"""Every run of the DAG comes here, however fast the machine: its first try dies at it, so that no seed passes without a kill."""
YAML = """\
name: Almviks stadsbibliotek
isil: SE-Almv
timezone: Europe/Stockholm
language: sv
status: live
flows:
  circulation_journal: {schedule: "0 3 29 2 *", wait: 0s, after_block: continue}
"""


@dataclass
class Found:
    """What a seed showed."""

    seed: int
    answered: int = 0
    lives: int = 0
    killed: int = 0
    wrong: list[str] = field(default_factory=list)


class House:
    """An installation with a sidecar, whose processes are killed."""

    def __init__(self, warm: Zygote, folder: Path) -> None:
        self.warm, self.home = warm, folder / "home"
        (self.home / "partners").mkdir(parents=True)
        (self.home / "partners" / f"{PARTNER}.yaml").write_text(YAML)
        self.env = {
            "BINDERY_HOME": str(self.home),
            "BINDERY_PARTNERS": str(self.home / "partners"),
            "BINDERY_PULL_SECONDS": "0.01",
            **MASTER,
        }
        self.engine = Engine.open(EnvironmentCredentials(MASTER), flow_models(), self.env)
        library = {
            "terminals": {"institution": PARTNER, "timezone": "Europe/Stockholm",
                          "terminals": {"k1": {"password": "secret", "branch": "main", "connections": 50}}},
            "rules": {"timezone": "Europe/Stockholm", "defaults": {"loans": 9999}},
            "patrons": [{"patron": f"p{n}", "cards": [f"c{n}"]} for n in range(KIOSKS)],
            "items": [{"item": f"i{n:03}", "title": f"Title {n}"} for n in range(ITEMS)],
        }  # fmt: skip
        (folder / "library.yaml").write_text(yaml.safe_dump(library))
        subprocess.run([*_sidecar(), "load", str(folder / "library.yaml")], cwd=ROOT, env=self.whole, check=True, stdout=subprocess.DEVNULL)

    @property
    def whole(self) -> dict[str, str]:
        return {**os.environ, **self.env, "PYTHONPATH": str(ROOT)}

    def step(self, name: str, *arguments: str, **env: str) -> Process:
        return self.warm.start(name, *arguments, home=self.home, env=self.env | env)

    def serve(self) -> tuple[subprocess.Popen[str], int]:
        command = [*_sidecar(), "serve", "--sip2-port", "0", "--http-port", "0"]
        process = subprocess.Popen(command, cwd=ROOT, env=self.whole, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert process.stdout is not None
        line = process.stdout.readline()
        return process, int(json.loads(line)["sip2"])


def _sidecar() -> list[str]:
    return [sys.executable, "-m", "connectors.circulation"]


def seed(warm: Zygote, folder: Path, number: int) -> Found:
    """All of one seed."""
    chance, found, said = random.Random(number), Found(number), Counter[tuple[str, str]]()
    house = House(warm, folder)
    left = [iter(range(name, ITEMS, KIOSKS)) for name in range(KIOSKS)]
    for life in range(3):
        process, port = house.serve()
        kiosks = [threading.Thread(target=_kiosk, args=(port, name, left[name], said)) for name in range(KIOSKS)]
        for one in kiosks:
            one.start()
        enough = said.total() + chance.randint(4, 40)
        if life:
            _journal(house, chance, found)  # while they lend
        _until(lambda enough=enough, kiosks=kiosks: said.total() >= enough or not any(one.is_alive() for one in kiosks))
        process.send_signal(signal.SIGKILL)
        process.wait()
        for one in kiosks:
            one.join()
        found.lives += 1
    process, _ = house.serve()  # which brings its store up to its journal
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    while not found.wrong and _journal(house, chance, found):
        continue
    found.answered = said.total()
    found.wrong += _differences(house, said)
    return found


def _kiosk(port: int, name: int, items, said: Counter[tuple[str, str]]) -> None:
    """Lend an item and take it back, until the sidecar is killed; each ok is counted when it has come."""
    try:
        with socket.create_connection(("127.0.0.1", port), 10) as line:

            def ask(text: str) -> str:
                line.sendall(f"{text}\r".encode())
                answer = b""
                while not answer.endswith(b"\r"):
                    block = line.recv(4096)
                    if not block:
                        raise ConnectionError
                    answer += block
                return answer.decode().strip()

            if ask("9300CNk1|COsecret|") != "941":
                return
            for item in items:
                stamp = f"20261120    13{item // 60:02}{item % 60:02}"
                if ask(f"11NN{stamp}{' ' * 18}AO|AAc{name}|ABi{item:03}|AC|").startswith("121"):
                    said["loan", f"i{item:03}"] += 1
                if item % 3 and ask(f"09N{stamp}{stamp}AO|AC|ABi{item:03}|").startswith("101"):
                    said["return", f"i{item:03}"] += 1
    except OSError:
        return


def _until(done) -> None:
    event = threading.Event()
    while not done():
        event.wait(0.002)


def _journal(house: House, chance: random.Random, found: Found) -> int:
    """One run of the DAG, killed here and there; returns how many entries it took."""
    begun = house.step("begin", PARTNER, FLOW)
    if begun.wait() != DONE:
        found.wrong.append(f"dispatch ended with {begun.code}: {begun.log}")
        return 0
    id = begun.said()
    for step in STEPS:
        kills = chance.randint(0, 3)
        for attempt in range(20):
            first = step == "receive" and attempt == 0
            process = _killed(house, step, id, chance, CERTAIN if first else None) if attempt < kills or first else house.step(step, id)
            code = process.wait()
            found.killed += code == KILLED
            if code == DONE:
                break
        else:
            found.wrong.append(f"{step} never ended: {process.log}")
            return 0
    done = deliveries.get(house.engine.ledger, id)
    if done.state != State.ACKNOWLEDGED or not done.counts.balanced():
        found.wrong.append(f"{id} is {done.state}: {done.message}, {done.counts}")
    return done.facts["journal"]["until"] - done.facts["journal"]["after"]


def _killed(house: House, step: str, id: str, chance: random.Random, point: str | None) -> Process:
    if point:
        return house.step(step, id, BINDERY_DIE_AT=point)
    if chance.random() < 0.7:
        return house.step(step, id, BINDERY_DIE_AT=chance.choice(POINTS[step]))
    process = house.step(step, id)
    process.kill_after(chance.uniform(0.01, 0.3))
    return process


def _differences(house: House, said: Counter[tuple[str, str]]) -> list[str]:
    """What was answered, what the journal has, and what the lake has, by kind and item."""
    journal: Counter[tuple[str, str]] = Counter()
    numbers = []
    for number, entry in read(house.home / "circulation" / "journal", house.engine.keys):
        numbers.append(number)
        if entry["ok"]:
            journal[{"checkout": "loan", "checkin": "return"}[entry["kind"]], entry["asked"]["item"]] += 1
    wrong = [] if numbers == list(range(1, len(numbers) + 1)) else ["the journal's numbers have a gap or come twice"]
    wrong += [f"{what} of {item} was answered ok and is not in the journal" for what, item in said - journal]
    wrong += [f"{what} of {item} is in the journal {count} times" for (what, item), count in journal.items() if count > 1]
    if (more := (journal - said).total()) > 2 * KIOSKS * 3:
        wrong.append(f"{more} entries were never answered: more than there were kiosks")
    rows = lake_read.read(house.engine.lake, "loan", version="newest").to_pylist() if exists(house.engine.lake, "loan") else []
    lake = Counter((row["event"], row["barcode"]) for row in rows)
    wrong += [f"{what} of {item} is in the journal and not in the lake" for what, item in journal - lake]
    wrong += [f"{what} of {item} is in the lake once too often" for what, item in lake - journal]
    of_one = {(row["barcode"], row["loan_id"]) for row in rows}
    if len(of_one) != len({item for item, _ in of_one}):
        wrong.append("a loan and its return have different numbers")
    return wrong


def main() -> int:
    """0 when every seed held."""
    parser = argparse.ArgumentParser(prog="make crash-circulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    wrong = 0
    with zygote() as warm:
        for number in range(asked.first, asked.first + asked.seeds):
            folder = Path(tempfile.mkdtemp(prefix="bindery_crash_"))
            found = seed(warm, folder, number)
            wrong += bool(found.wrong)
            words = "; ".join(found.wrong[:5]) or "right"
            print(f"seed {number}: {found.answered} answered, {found.lives} lives, {found.killed} steps killed: {words}", flush=True)
            if not found.wrong:
                shutil.rmtree(folder)
    print(f"{asked.seeds - wrong} of {asked.seeds} seeds right")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
