"""What is done to a delivery, and what must hold afterwards. A case is data: which step, where in it, what happens there."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from include.engine.failpoints import POINTS
from tests.crash.house import House, look, prepare
from tests.crash.processes import KILLED, Process, Zygote
from tests.crash.state import Left, differences, left, pinned_state
from tests.crash.targets import Target, target_of
from tests.crash.task import DONE, OVERTAKEN, STEPS, STOPPED

TRIES = 4
"""A task's first try and its three retries (dags/house/flow.py)."""
GIVE_UP = ("landing.block", "stage.written", "gate.bound", "lake.written", "publish.table", "publish.committed")
"""Where all tries of a step are killed."""


@dataclass(frozen=True)
class Case:
    """`kind`: kill (at `point`), later (kill from outside after `seconds` of `step`), overlap (stopped at `point` while another try works),
    give up (killed there four times, then cleared by a person), dispatch (a round of it is killed), two dispatches (at once)."""

    kind: str
    seed: int
    step: str
    point: str = ""
    passes: int = 1
    seconds: float = 0.0
    to_the_end: bool = True

    def __str__(self) -> str:
        where = f"{self.point}:{self.passes}" if self.point else f"{self.step} after {self.seconds:.2f} s"
        return f"{self.kind}: {where} (seed {self.seed})"


@dataclass
class Found:
    """What a case showed: `wrong` is empty when everything held."""

    case: Case
    killed: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass
class Stage:
    """One target in one world: the homes before each step of a run that nobody disturbed, and how that run ended."""

    zygote: Zygote
    folder: Path
    seed: int
    target: Target
    house: House
    homes: dict[str, Path] = field(default_factory=dict)
    passed: dict[tuple[str, str], int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    cases: int = 0

    @classmethod
    def set(cls, zygote: Zygote, folder: Path, seed: int, target: Target | None = None) -> Stage:
        """Prepare it, and take the delivery through once."""
        target = target or target_of(seed)
        made = cls(zygote, folder, seed, target, prepare(zygote, folder / "base", target, seed))
        house = made.house.copy(folder / "undisturbed")
        for step in STEPS:
            made.homes[step] = folder / f"before {step}"
            shutil.copytree(house.home, made.homes[step] / "home")
            started = time.monotonic()
            process = zygote.start(step, house.delivery, home=house.home, env=house.env | {"BINDERY_DIE_AT": "nowhere"})
            process.wait()
            made.seconds[step] = time.monotonic() - started
            made.passed |= {(point, step): count for point, count in process.passed().items()}
        made.house = house
        return made

    @cached_property
    def wanted(self) -> Left:
        """How the undisturbed run ended."""
        return left(self.house.engine, self.house.delivery)

    @cached_property
    def visible(self) -> list[dict[str, list[int]]]:
        """What a reader may see: the lake without the delivery, or with all of it."""
        before = House(self.homes["receive"] / "home", self.house.delivery, self.house.answer)
        return [pinned_state(before.engine), pinned_state(self.house.engine)]

    def at(self, step: str) -> House:
        """A copy of the home as it was before `step`."""
        self.cases += 1
        return House(self.homes[step] / "home", self.house.delivery, self.house.answer).copy(self.folder / f"case {self.cases}")

    def against_the_answer_sheet(self) -> list[str]:
        """Where the undisturbed run itself is not what the world's own answer sheet says."""
        answer, counts = self.house.answer, self.wanted.counts
        wrong: list[str] = []
        aside = Counter(key.split(" ")[4] for key in self.wanted.quarantined.elements())
        said = {"in": answer.records, "published": answer.good, "quarantined": sum(answer.set_aside.values())}
        did = {"in": counts["in_"], "published": counts["published"], "quarantined": counts["quarantined"]}
        if self.wanted.state != "acknowledged":
            return [f"undisturbed: it ended {self.wanted.state} {self.wanted.reason}"]
        if did != said:
            wrong.append(f"undisturbed: {did}, the answer sheet says {said}")
        if dict(aside) != answer.set_aside:
            wrong.append(f"undisturbed: set aside {dict(aside)}, the answer sheet says {answer.set_aside}")
        for table, changes in answer.changes.items():
            published = self.wanted.told["tables"].get(table, {})
            wrong += [
                f"undisturbed: {table} {name} {published.get(name)}, the answer sheet says {count}"
                for name, count in vars(changes).items()
                if published.get(name) != count
            ]
        return wrong

    def places(self, point: str) -> list[tuple[str, int]]:
        """Every (step, pass) at which the undisturbed run came to a point."""
        return [(step, number) for (name, step), count in self.passed.items() if name == point for number in range(1, count + 1)]


def cases(stage: Stage, points: Mapping[str, str] = POINTS, *, later: bool = True, overlap: bool = True) -> list[Case]:
    """What one seed does: one kill at each point, one at any moment of each step, overlapping tries at each point that a try has a token at."""
    rng, made = random.Random(stage.seed), []
    for point in points:
        if found := stage.places(point):
            step, number = rng.choice(found)
            made.append(Case("kill", stage.seed, step, point, number))
            if overlap and not point.endswith(".recorded"):  # there, everything of the try is told and fenced already
                made.append(Case("overlap", stage.seed, step, point, number, to_the_end=rng.random() < 0.6))
            if overlap and point in GIVE_UP:
                made.append(Case("give up", stage.seed, found[0][0], point))
        elif point.startswith("dispatch."):
            made.append(Case("dispatch", stage.seed, "look", point))
            if overlap:
                made.append(Case("two dispatches", stage.seed, "look", point))
    if later:
        made += [Case("later", stage.seed, step, seconds=rng.uniform(0.0, stage.seconds[step])) for step in STEPS]
    return made


def play(stage: Stage, case: Case) -> Found:
    """Do it, then look at what is left."""
    started = time.monotonic()
    found = Found(case)
    try:
        if case.kind in {"dispatch", "two dispatches"}:
            _dispatch(stage, case, found)
        else:
            house = stage.at(case.step)
            reader = stage.zygote.start("watch", str(house.home.parent / "seen"), home=house.home, env=house.env)
            {"kill": _kill, "later": _kill, "overlap": _overlap, "give up": _give_up}[case.kind](stage, case, house, found)
            _visible(stage, house, reader, found)
            # What was unknown to the lake at first is known when a delivery is judged again: then it warns of less.
            found.wrong += differences(left(house.engine, house.delivery), stage.wanted, judged_again=case.kind == "give up")
            if not found.wrong:
                shutil.rmtree(house.home.parent, ignore_errors=True)
    except TimeoutError as late:
        found.wrong.append(str(late))
    found.seconds = time.monotonic() - started
    return found


def to_the_end(zygote: Zygote, house: House, first: str, hurt: Case | None = None) -> int:
    """The tasks from `first` on as Airflow runs them: tried again after a death or an error, the last one whatever happened before. `hurt`
    is done to the first try. Returns how many were killed."""
    killed, steps = 0, list(STEPS[STEPS.index(first) :])
    while steps:
        step = steps.pop(0)
        for _ in range(TRIES):
            process, hurt = _try(zygote, house, step, hurt), None
            killed += process.code == KILLED
            if process.code == DONE:
                break
            if process.code == STOPPED:
                steps = steps[-1:]
                break
        else:
            steps = steps[-1:]
    return killed


def _try(zygote: Zygote, house: House, step: str, hurt: Case | None) -> Process:
    env = house.env | ({"BINDERY_DIE_AT": f"{hurt.point}:{hurt.passes}"} if hurt and hurt.point else {})
    process = zygote.start(step, house.delivery, home=house.home, env=env)
    if hurt is not None and not hurt.point:
        process.kill_after(hurt.seconds)
    process.wait()
    return process


def _kill(stage: Stage, case: Case, house: House, found: Found) -> None:
    found.killed = to_the_end(stage.zygote, house, case.step, case)
    if case.kind == "kill" and found.killed != 1:
        found.wrong.append(f"{found.killed} processes were killed instead of one")


def _overlap(stage: Stage, case: Case, house: House, found: Found) -> None:
    """Airflow took the first try for dead, and it was not: it goes on when the second one has done the step, or everything."""
    first = _stopped(stage, case, house, found)
    if first is None:
        return
    if case.to_the_end:
        to_the_end(stage.zygote, house, case.step)
        first.resume()
    else:
        second = stage.zygote.start(case.step, house.delivery, home=house.home, env=house.env)
        if second.wait() != DONE:
            found.wrong.append(f"the second try ended with {second.code}: {second.said()}")
        first.resume()
        rest = STEPS[STEPS.index(case.step) + 1 :]
        if rest:
            to_the_end(stage.zygote, house, rest[0])
    if first.wait() not in {OVERTAKEN, DONE}:
        found.wrong.append(f"the first try ended with {first.code}, not at the fence: {first.said()}")
    if first.code == DONE and not (case.step == "acknowledge" and case.to_the_end):
        found.wrong.append(f"the fence let the first try through: {first.said()}")


def _stopped(stage: Stage, case: Case, house: House, found: Found) -> Process | None:
    env = house.env | {"BINDERY_STOP_AT": f"{case.point}:{case.passes}"}
    first = stage.zygote.start(case.step, house.delivery, home=house.home, env=env)
    if first.wait_stopped():
        return first
    found.wrong.append(f"it never came to {case.point}: it ended with {first.code}")
    return None


def _visible(stage: Stage, house: House, reader: Process, found: Found) -> None:
    """Whatever a reader saw must be the lake without the delivery or with all of it."""
    seen = house.home.parent / "seen"
    Path(f"{seen}.stop").touch()
    if reader.wait() != DONE:
        found.wrong.append(f"the reader ended with {reader.code}: {reader.said()}")
    for line in seen.read_text().splitlines():
        if json.loads(line) not in stage.visible:
            found.wrong.append(f"a reader saw a part: {line[:300]}")


def _dispatch(stage: Stage, case: Case, found: Found) -> None:
    """Dispatch dies, or another one is at work while it is stopped: the delivery must be started, by the next round or by the sweep after
    five minutes, and taken in once."""
    stage.cases += 1
    folder = stage.folder / f"case {stage.cases}"
    house = prepare(stage.zygote, folder, replace(stage.target, before=()), stage.seed, claimed=False)
    hurt = {"dispatch": "BINDERY_DIE_AT", "two dispatches": "BINDERY_STOP_AT"}[case.kind]
    first = stage.zygote.start("look", home=house.home, env=house.env | {hurt: case.point})
    if case.kind == "dispatch":
        found.killed += first.wait() == KILLED
        started = [*look(stage.zygote, house), *look(stage.zygote, house, hours=0.2)]
    else:
        first.wait_stopped()
        second = stage.zygote.start("look", home=house.home, env=house.env)
        with suppress(TimeoutError):  # the first may hold the ledger's lock: then the second waits for it
            second.wait(1.0)
        first.resume()
        if (first.wait(), second.wait()) != (DONE, DONE):
            found.wrong.append(f"the two ended with {first.code} and {second.code}: {first.said()}, {second.said()}")
            return
        started = [*first.said(), *second.said()]
        if len(started) != 1:
            found.wrong.append(f"two rounds at once started {started}")
    if len(set(started)) != 1:
        found.wrong.append(f"{len(set(started))} deliveries were started after the death: {started}")
        return
    house = replace(house, delivery=started[0])
    to_the_end(stage.zygote, house, "receive")
    done = left(house.engine, house.delivery)
    if again := look(stage.zygote, house, hours=0.5):
        found.wrong.append(f"it was started again afterwards: {again}")
    if done.state != "acknowledged" or set(done.commits.values()) - {1}:
        found.wrong.append(f"it ended {done.state}, with commits {done.commits}")
    if not found.wrong:
        shutil.rmtree(folder, ignore_errors=True)


def _give_up(stage: Stage, case: Case, house: House, found: Found) -> None:
    """All tries of a step die: the delivery ends as failed, its source stays, nobody sees any of it. Cleared by a person, it is taken in."""
    env = house.env | {"BINDERY_DIE_AT": f"{case.point}:{case.passes}"}
    for _ in range(TRIES):
        found.killed += stage.zygote.start(case.step, house.delivery, home=house.home, env=env).wait() == KILLED
    to_the_end(stage.zygote, house, "acknowledge")
    given_up = left(house.engine, house.delivery)
    if given_up.state != "failed" or given_up.told["state"] != "failed":
        found.wrong.append(f"after four deaths it is {given_up.state}, and the receipt says {given_up.told.get('state')}")
    if given_up.files["staging"] or not (house.home / "inbox" / stage.target.library / house.answer.file).exists():
        found.wrong.append(f"after four deaths staging holds {given_up.files['staging']}, or the source is gone")
    if pinned_state(house.engine) != stage.visible[0]:
        found.wrong.append("a reader sees some of what failed")
    to_the_end(stage.zygote, house, "receive")
