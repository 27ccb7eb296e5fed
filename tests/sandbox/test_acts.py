"""The demo's acts play side by side, and none of them takes the others down."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from include.sandbox.demo.acts import Outcome, play_all
from include.sandbox.demo.stage import Stage, Stuck


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    keeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    airflow = SimpleNamespace(keeper=keeper, logs=tmp_path / "logs")
    yield Stage(cast(Any, SimpleNamespace(home=tmp_path)), cast(Any, airflow))
    assert keeper.stdin is not None
    keeper.stdin.close()
    keeper.wait()


def test_an_act_that_fails_is_told_and_the_others_go_on(stage: Stage) -> None:
    def good(_: Stage) -> Outcome:
        return Outcome("Good", ["did it"])

    def bad(_: Stage) -> Outcome:
        raise ValueError("no lines came")

    assert play_all({"good": good, "bad": bad}, stage) == [Outcome("Good", ["did it"]), Outcome("bad", wrong=["ValueError: no lines came"])]


def test_acts_play_side_by_side(stage: Stage) -> None:
    meet = threading.Barrier(2, timeout=60)

    def act(_: Stage) -> Outcome:
        meet.wait()
        return Outcome("met")

    assert [outcome.wrong for outcome in play_all({"one": act, "two": act}, stage)] == [[], []]


def test_a_wait_says_what_it_waited_for(stage: Stage) -> None:
    with pytest.raises(Stuck, match="the upload has not ended"):
        stage.until(lambda: False, 0.0, lambda: "the upload has not ended")


def test_a_wait_ends_with_the_demo(stage: Stage) -> None:
    stage.stop.set()
    with pytest.raises(Stuck, match="the demo was ended"):
        stage.until(lambda: False, 60.0, lambda: "never said")


def test_a_wait_ends_when_airflow_is_gone(stage: Stage) -> None:
    keeper = stage.airflow.keeper
    keeper.kill()
    keeper.wait()
    with pytest.raises(Stuck, match="Airflow has ended by itself"):
        stage.until(lambda: False, 60.0, lambda: "never said")
