"""Installations for the harness: one is prepared for each target and seed, up to the claim of the delivery; each case gets a copy of it."""

from __future__ import annotations

import base64
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

from connectors import flow_models
from include.engine import clock
from include.engine.credentials import EnvironmentCredentials
from include.engine.engine import Engine
from include.engine.privacy.pseudonym import Pseudonyms
from include.sandbox.demo.partners import copied
from include.sandbox.world import Answer, load, make
from tests.crash.processes import Zygote
from tests.crash.targets import Part, Target
from tests.crash.task import DONE, STEPS

MASTER = '{"conn_type": "generic", "password": "' + base64.b64encode(bytes(range(32))).decode() + '"}'
LOANS, BAD = 1_000, 0.03


@dataclass(frozen=True)
class House:
    """A home with its partners, and the delivery it is about (its id is empty until dispatch has seen it)."""

    home: Path
    delivery: str
    answer: Answer

    @property
    def env(self) -> dict[str, str]:
        return {"BINDERY_HOME": str(self.home), "BINDERY_PARTNERS": str(self.home / "partners"), "AIRFLOW_CONN_BINDERY_MASTER": MASTER}

    @cached_property
    def engine(self) -> Engine:
        """For looking on from the harness's own process."""
        return Engine.open(EnvironmentCredentials(self.env), flow_models(), self.env)

    def copy(self, to: Path) -> House:
        """The same again, in a home of its own."""
        shutil.copytree(self.home, to / "home")
        return House(to / "home", self.delivery, self.answer)

    def drop(self, library: str, file: Path) -> None:
        """Deliver a file as the library does: havnsund says with a done file that it is whole."""
        inbox = self.home / "inbox" / library
        inbox.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, inbox / file.name)
        if library == "havnsund":
            (inbox / f"{file.name}.done").touch()


def prepare(zygote: Zygote, folder: Path, target: Target, seed: int, *, claimed: bool = True) -> House:
    """The target's deliveries before it taken in whole, its own dropped and (with `claimed`) claimed by dispatch."""
    parts = {part: _rendered(folder / "world", target, part, seed) for part in (*target.before, target.file)}
    house = House(folder / "home", "", parts[target.file][0])
    _partners(house.home / "partners")
    Pseudonyms(house.engine.keys, target.library, "lake").key_id  # noqa: B018  (made now, so that each copy has the same pseudonyms)
    for before in target.before:
        house.drop(target.library, parts[before][1])
        [id] = look(zygote, house)
        for step in STEPS:
            done = zygote.start(step, id, home=house.home, env=house.env)
            if done.wait() != DONE:
                raise RuntimeError(f"{target.name}: {step} of {before} ended with {done.code}: {done.log}")
    house.drop(target.library, parts[target.file][1])
    if not claimed:
        return house
    [id] = look(zygote, house)
    return House(house.home, id, house.answer)


def _rendered(world: Path, target: Target, part: Part, seed: int) -> tuple[Answer, Path]:
    """The answer and the file of a part, rendered when it is not there yet."""
    answers = world / target.library / "answers.json"
    sheet = load(answers) if answers.exists() else make(target.library, LOANS, world, seed=seed, bad=BAD)
    answer = next(one for one in sheet.files if (one.table, one.day) == (part.table, part.day) and one.outcome == "published")
    return answer, world / target.library / f"day{part.day}" / answer.file


def look(zygote: Zygote, house: House, hours: float = 0) -> list[str]:
    """A round of dispatch in a process of its own."""
    process = zygote.start("look", str(hours), home=house.home, env=house.env)
    if process.wait() != DONE:
        raise RuntimeError(f"dispatch ended with {process.code}: {process.log}")
    return list(process.said())


def _partners(folder: Path) -> None:
    """The demo's partners with local inboxes that are looked into at each round."""
    for file in copied(folder, clock.now()).glob("*.yaml"):
        settings = yaml.safe_load(file.read_text())
        for flow in (one for one in settings["flows"].values() if "inbox" in one):
            flow |= {"inbox": f"file:inbox/{file.stem}", "every": "0s"}
            if "stable_for" in flow.get("ready", {}):
                flow["ready"] = {"stable_for": "0s"}
        file.write_text(yaml.safe_dump(settings, allow_unicode=True))
