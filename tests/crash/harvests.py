"""kill -9 in mid-harvest, seed by seed: python -m tests.crash.harvests --seeds 50

A repository on a real socket, of another kind with each seed: tokens that can be used once, that expire, that last; pages that overlap; deletions.
A harvest of it is killed again and again, at points of the fetch and at any moment, and begun again as Airflow begins a task again. In the end
the lake must hold what the repository holds, record by record, and nothing may lie around. Then the repository changes, and all goes again.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from include.engine.credentials import EnvironmentCredentials
from include.engine.engine import Engine
from include.engine.failpoints import FETCH_POINTS
from include.engine.lake import read as lake_read
from include.engine.ledger import deliveries, windows
from tests.connectors.oai_pmh.harvest.repository import Kept, Repository, Response, made, marc, served
from tests.crash.processes import KILLED, Process, Zygote, zygote
from tests.crash.task import DONE, STEPS
from tests.house import MASTER

POINTS = (*FETCH_POINTS, "landing.block", "landing.sealed", "receive.landed", "stage.batch", "stage.written", "stage.recorded")
CERTAIN = "pull.page"
"""Every harvest comes here, however fast the machine: its first try dies at it, so that no seed passes without a kill."""
LATER = ("gate.bound", "publish.table", "publish.committed", "acknowledge.receipt")
PARTNER = """\
name: Almviks stadsbibliotek
isil: SE-Almv
timezone: Europe/Stockholm
language: sv
status: live
flows:
  oai_harvest:
    schedule: "0 3 29 2 *"
    url: {url}
    prefix: marcxml
    overlap: 1 h
    polite: {{attempts: 3, first_wait: 0s, timeout: 10s}}
"""


@dataclass
class Found:
    """What a seed showed."""

    seed: int
    killed: int = 0
    tries: int = 0
    resumed: int = 0
    wrong: list[str] = field(default_factory=list)


class House:
    """An installation of a library that harvests, whose steps run in processes of their own."""

    def __init__(self, warm: Zygote, folder: Path, url: str) -> None:
        self.warm, self.home = warm, folder / "home"
        (self.home / "partners").mkdir(parents=True)
        (self.home / "partners" / "almvik.yaml").write_text(PARTNER.format(url=url))
        self.env = {
            "BINDERY_HOME": str(self.home),
            "BINDERY_PARTNERS": str(self.home / "partners"),
            "BINDERY_PULL_SECONDS": "0.01",
            **MASTER,
        }
        from connectors import flow_models

        self.engine = Engine.open(EnvironmentCredentials(MASTER), flow_models(), self.env)

    def start(self, name: str, *arguments: str, **env: str) -> Process:
        return self.warm.start(name, *arguments, home=self.home, env=self.env | env)


def seed(warm: Zygote, folder: Path, number: int) -> Found:
    """All of one seed."""
    chance, found = random.Random(number), Found(number)
    records = made(chance.randint(60, 160), step=timedelta(seconds=chance.choice([0, 1, 3600])))
    if chance.random() < 0.5:
        chance.shuffle(records)
    for one in chance.sample(records, 5):
        one.deleted = True
    repository = Repository(records, page=chance.randint(5, 15))
    repository.size = chance.choice([-1, None])
    repository.fault = _tokens(repository, chance)
    with served(repository):
        house = House(warm, folder, repository.url)
        _harvested(house, repository, chance, found)
        if found.wrong:
            return found
        for one in chance.sample(records, 8):
            repository.put(Kept(one.identifier, datetime.now(UTC), marc(one.identifier[-5:], "Ändrad"), deleted=chance.random() < 0.3))
        repository.put(Kept("oai:test.example:00new", datetime.now(UTC), marc("00new")))
        _harvested(house, repository, chance, found)
    return found


def _tokens(repository: Repository, chance: random.Random):
    """How the repository's tokens are: for ever, once, or now and then expired."""
    kind, used = chance.choice(["last", "once", "expire"]), set[str]()
    if kind == "once":  # each list has tokens of its own
        plain, given = repository.token, count()
        repository.token = lambda cursor, params: plain(cursor, {**params, "n": str(next(given))})

    def fault(request, _answer):
        if not request.token:
            return None
        refused = request.token in used if kind == "once" else kind == "expire" and chance.random() < 0.03
        used.add(request.token)
        return Response(repository.error("badResumptionToken").encode()) if refused else None

    return fault


def _harvested(house: House, repository: Repository, chance: random.Random, found: Found) -> None:
    begun = house.start("begin", "almvik", "oai_harvest")
    assert begun.wait() == DONE, begun.log
    id = begun.said()
    for step in STEPS:
        kills = chance.randint(2, 5) if step == "receive" else int(chance.random() < 0.3)
        for attempt in range(30):
            first = step == "receive" and attempt == 0
            process = _killed(house, step, id, chance, CERTAIN if first else None) if attempt < kills else house.start(step, id)
            code = process.wait()
            found.tries += 1
            found.killed += code == KILLED
            if code == DONE:
                break
        else:
            found.wrong.append(f"{step} never ended: {process.log}")
            return
    found.resumed += len([one for one in windows.of_delivery(house.engine.ledger, id) if one.attempts > 1])
    found.wrong += _differences(house, repository, id)


def _killed(house: House, step: str, id: str, chance: random.Random, point: str | None) -> Process:
    if point:
        return house.start(step, id, BINDERY_DIE_AT=point)
    if chance.random() < 0.7:
        point = chance.choice(POINTS if step == "receive" else LATER)
        return house.start(step, id, BINDERY_DIE_AT=f"{point}:{chance.randint(1, 6) if point.startswith('pull.') else 1}")
    process = house.start(step, id)
    process.kill_after(chance.uniform(0.02, 0.4))
    return process


def _differences(house: House, repository: Repository, id: str) -> list[str]:
    """What the lake lacks, has twice or otherwise than the repository; and what lies around."""
    wrong: list[str] = []
    rows = lake_read.read(house.engine.lake, "oai_record", partner="almvik", version="newest").to_pylist()
    ours = {row["identifier"]: (row["datestamp"], row["deleted"], row["xml"]) for row in rows}
    theirs = {
        one.identifier: (one.datestamp.replace(microsecond=0), one.deleted, None if one.deleted else one.body) for one in repository.records
    }
    if len(rows) != len(ours):
        wrong.append(f"{len(rows) - len(ours)} records are there twice")
    if missing := set(theirs) - set(ours):
        wrong.append(f"{len(missing)} records are missing: {sorted(missing)[:3]}")
    if other := [name for name in ours if ours[name] != theirs.get(name)]:
        wrong.append(f"{len(other)} records are other than theirs: {sorted(other)[:3]}")
    titles = lake_read.read(house.engine.lake, "bibliographic", partner="almvik", version="newest").to_pylist()
    living = sorted(row["control_number"] for row in titles if not row["deleted"])
    if living != sorted(one.identifier[-5:] for one in repository.records if not one.deleted):
        wrong.append("the titles are not those of the records")
    delivery = deliveries.get(house.engine.ledger, id)
    if (str(delivery.state), delivery.counts.balanced()) != ("acknowledged", True):
        wrong.append(f"the delivery is {delivery.state}, its counts are {delivery.counts}")
    landed = [path.name for path in (house.home / "landing" / "almvik" / id).iterdir()]
    if len(landed) != 1 or (house.home / "staging" / "almvik" / id).exists():
        wrong.append(f"left-overs: {landed}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.harvests", description=__doc__)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=1)
    given = parser.parse_args()
    folder, all_found = Path(tempfile.mkdtemp(prefix="bindery_harvests_")), list[Found]()
    with zygote() as warm:
        for number in range(given.first, given.first + given.seeds):
            found = seed(warm, folder / str(number), number)
            all_found.append(found)
            print(
                f"seed {number}: {found.killed} kills in {found.tries} tries, {'; '.join(found.wrong) or 'as if nothing had been'}",
                flush=True,
            )
            if not found.wrong:
                with suppress(OSError):
                    shutil.rmtree(folder / str(number))
    wrong = sum(bool(one.wrong) for one in all_found)
    killed, tries = (sum(getattr(one, name) for one in all_found) for name in ("killed", "tries"))
    print(f"{len(all_found)} seeds, {killed} kills in {tries} tries of a step; wrong: {wrong}{f' (see {folder})' if wrong else ''}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
