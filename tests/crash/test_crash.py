"""Kill -9 from claim to acknowledge, on one seed; `make crash` does it on many. The table of points is include/engine/failpoints.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from include.engine.failpoints import POINTS
from tests.crash.cases import Case, Stage, cases, play
from tests.crash.meetings import meetings
from tests.crash.processes import Zygote, zygote
from tests.crash.task import STEPS

pytestmark = pytest.mark.crash
SEED = 1


@pytest.fixture(scope="module")
def warm() -> Iterator[Zygote]:
    with zygote() as started:
        yield started


@pytest.fixture(scope="module")
def stage(warm: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage.set(warm, tmp_path_factory.mktemp("crash"), SEED)


def test_the_undisturbed_run_that_all_others_are_held_against_is_what_the_answer_sheet_says(stage: Stage) -> None:
    assert stage.against_the_answer_sheet() == []


def test_the_undisturbed_run_comes_to_every_point(stage: Stage) -> None:
    assert {point for point, _ in stage.passed} == {point for point in POINTS if not point.startswith("dispatch.")}


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_point_and_tried_again_nothing_is_lost_or_twice_or_partly_visible(stage: Stage, point: str) -> None:
    [case] = cases(stage, {point: POINTS[point]}, later=False, overlap=False)
    found = play(stage, case)
    assert (found.killed, found.wrong) == (1, [])


@pytest.mark.parametrize("step", STEPS)
def test_killed_from_outside_at_any_moment_of_a_step_all_is_as_if_it_had_not_been(stage: Stage, step: str) -> None:
    [case] = [case for case in cases(stage, {}) if case.step == step]
    assert play(stage, case).wrong == []


@pytest.mark.parametrize("to_the_end", [True, False], ids=["that has finished everything", "that has done the step"])
@pytest.mark.parametrize("point", ["stage.batch", "gate.bound", "lake.written", "publish.committed", "acknowledge.receipt"])
def test_a_try_that_was_stopped_and_goes_on_after_another_is_refused_by_the_fence(stage: Stage, point: str, to_the_end: bool) -> None:
    step, number = stage.places(point)[-1]
    assert play(stage, Case("overlap", SEED, step, point, number, to_the_end=to_the_end)).wrong == []


@pytest.mark.parametrize("point", ["stage.written", "publish.table"])
def test_a_step_that_dies_at_every_try_ends_as_failed_unseen_and_is_taken_in_when_it_is_cleared(stage: Stage, point: str) -> None:
    step, number = stage.places(point)[0]
    assert play(stage, Case("give up", SEED, step, point, number)).wrong == []


def test_two_dispatches_at_once_start_a_delivery_once(stage: Stage) -> None:
    assert play(stage, Case("two dispatches", SEED, "look", "dispatch.entered")).wrong == []


def test_a_publish_meets_a_compaction_and_an_erasure_between_its_preparation_and_its_commit(warm: Zygote, tmp_path: Path) -> None:
    assert [one.wrong for one in meetings(warm, tmp_path, SEED)] == [[], [], []]
