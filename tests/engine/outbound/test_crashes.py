"""A try killed at each point, or overtaken there: the next one ends the delivery, and the receiver has each record once."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from include.engine.delivery import State
from include.engine.engine import ROOT
from include.engine.ledger import Ledger, parts
from include.engine.outbound.points import POINTS
from tests.engine.outbound import letter
from tests.engine.outbound.conftest import Office

OVERTAKEN = ["render.written", "send.begun:2", "send.part:2", "confirm.settled"]


@pytest.fixture
def due(office: Office) -> Office:
    """An office with something of every kind: to be sent, to be left out, to wait, to be set aside."""
    office.hold(*(f"h{number}" for number in range(30)))
    office.hold("a1", branch="attic")
    office.hold("w1", statement=None)
    office.hold("bad", statement="lent to 010190-1234")
    return office


def copied(office: Office, name: str) -> Office:
    """The whole installation and its box, a second time."""
    source, target = office.engine.home.parent, office.engine.home.parent.parent / f"copy-{name.replace(':', '-')}"
    shutil.copytree(source, target)
    engine = replace(
        office.engine, home=target / "home", ledger=Ledger(f"sqlite:///{target}/ledger.db"), partners_folder=target / "partners"
    )
    return Office(engine, letter, "lindeby")


@contextmanager
def tries(how: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.engine.outbound.dying", how]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()


def ask(process: subprocess.Popen[str], line: object) -> str:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{json.dumps(line)}\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def ended_well(office: Office, id: str, point: str) -> None:
    done = office.get(id)
    assert (done.state, done.counts.in_, done.counts.published) == (State.ACKNOWLEDGED, 33, 30), point
    assert (done.counts.filtered, done.counts.quarantined) == (2, 1), point
    assert sorted(office.taken) == sorted(f"h{number}" for number in range(30)), point
    assert office.settled() == {
        **dict.fromkeys((f"h{number}" for number in range(30)), "sent"),
        "a1": "left",
        "w1": "waits",
        "bad": "waits",
    }, point
    assert not [path for path in (office.engine.home / "staging").rglob("*") if path.is_file()], point
    assert all(part.done_at for part in parts.of(office.engine.ledger, id)), point


def test_killed_at_any_point_the_next_try_ends_it_and_each_record_went_once(due: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    made = due.begun()
    with tries("DIE") as process:
        for point in POINTS:
            office = copied(due, point)
            assert ask(process, {"home": str(office.engine.home.parent), "delivery": made.id, "point": point}) == "killed", point
            monkeypatch.setattr(letter, "box", office.engine.home.parent / "box")
            office.run(made.id)
            ended_well(office, made.id, point)


def test_overtaken_at_any_point_the_older_try_changes_nothing(due: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    made = due.begun()
    with tries("STOP") as process:
        for point in OVERTAKEN:
            office = copied(due, point)
            said = ask(process, {"home": str(office.engine.home.parent), "delivery": made.id, "point": point})
            assert said.startswith("stopped"), point
            monkeypatch.setattr(letter, "box", office.engine.home.parent / "box")
            office.run(made.id)
            assert ask(process, "go on") == "ended", point
            ended_well(office, made.id, point)
