"""A file is taken when the partner's own policy says that it is whole, and never because of its name or its time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from include.engine.partner.settings import Ready
from include.engine.storage.readiness import Judged, marker, ready

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
STABLE = Ready(stable_for=timedelta(seconds=30))
DONE = Ready(done_file="{name}.done")
RENAMED = Ready(rename_from=".part")


@dataclass(frozen=True)
class File:
    path: str
    first_seen_at: datetime = NOW
    last_seen_at: datetime = NOW
    size: int = 10
    mtime_ns: int = 0


def seen(path: str, *, ago: float = 0, until: float = 0, size: int = 10, mtime_ns: int = 0) -> File:
    """Unchanged since `ago` seconds; last looked at `until` seconds ago."""
    return File(path, NOW - timedelta(seconds=ago), NOW - timedelta(seconds=until), size, mtime_ns)


def codes(judged: Judged[File]) -> dict[str, str]:
    return {
        **{file.path: "ready" for file in judged.ready},
        **{waiting.file.path: waiting.code for waiting in judged.waiting},
        **{file.path: code for file, code in judged.refused},
    }


def test_a_file_is_ready_after_two_looks_far_enough_apart_with_the_same_size_and_time() -> None:
    files = [seen("new.csv"), seen("growing.csv", ago=5), seen("rested.csv", ago=30)]
    assert codes(ready(files, STABLE, NOW)) == {"new.csv": "FILE_NOT_STABLE", "growing.csv": "FILE_NOT_STABLE", "rested.csv": "ready"}


def test_time_without_a_second_look_makes_nothing_ready() -> None:
    assert codes(ready([seen("x.csv", ago=3600, until=3600)], STABLE, NOW)) == {"x.csv": "FILE_NOT_STABLE"}


@pytest.mark.parametrize("mtime_ns", [-(10**18), 0, 4 * 10**18])
def test_an_old_or_future_time_of_the_file_changes_nothing(mtime_ns: int) -> None:
    files = [seen("a.csv", ago=30, mtime_ns=mtime_ns), seen("b.csv", ago=1, mtime_ns=mtime_ns)]
    assert codes(ready(files, STABLE, NOW)) == {"a.csv": "ready", "b.csv": "FILE_NOT_STABLE"}


def test_a_file_waits_for_its_marker_and_is_reported_when_the_marker_does_not_come() -> None:
    judged = ready([seen("in/x.csv", ago=60), seen("y.csv", ago=7200)], DONE, NOW)
    assert [(waiting.file.path, waiting.code, waiting.expected, waiting.overdue) for waiting in judged.waiting] == [
        ("in/x.csv", "FILE_DONE_MISSING", "in/x.csv.done", False),
        ("y.csv", "FILE_DONE_MISSING", "y.csv.done", True),
    ]


def test_a_marker_that_comes_with_or_after_its_file_makes_it_ready_at_once_and_is_itself_no_delivery() -> None:
    files = [seen("x.csv", ago=60), seen("x.csv.done"), seen("y.csv"), seen("y.csv.done", size=0)]
    assert codes(ready(files, DONE, NOW)) == {"x.csv": "ready", "y.csv": "ready"}


def test_a_marker_that_comes_first_waits_for_the_data_and_the_data_must_then_rest() -> None:
    assert codes(ready([seen("x.csv.done", ago=60)], DONE, NOW)) == {}
    assert codes(ready([seen("x.csv.done", ago=60), seen("x.csv", ago=5)], DONE, NOW)) == {"x.csv": "FILE_NOT_STABLE"}
    assert codes(ready([seen("x.csv.done", ago=60), seen("x.csv", ago=30)], DONE, NOW)) == {"x.csv": "ready"}


def test_a_marker_whose_file_never_comes_is_reported_unless_that_file_is_there_and_delivered() -> None:
    left = [seen("x.csv.done", ago=7200)]
    assert codes(ready(left, DONE, NOW)) == {"x.csv.done": "FILE_DATA_MISSING"}
    assert codes(ready(left, DONE, NOW, present=["x.csv", "x.csv.done"])) == {}


def test_a_file_under_its_temporary_name_waits_and_the_renamed_one_is_ready_at_once() -> None:
    files = [seen("x.csv.part", ago=60), seen("y.csv"), seen("old.csv.PART", ago=7200)]
    judged = ready(files, RENAMED, NOW)
    assert codes(judged) == {"x.csv.part": "FILE_STILL_WRITTEN", "y.csv": "ready", "old.csv.PART": "FILE_STILL_WRITTEN"}
    assert [waiting.overdue for waiting in judged.waiting] == [False, True]


def test_when_several_policies_are_set_all_must_agree() -> None:
    both = Ready(stable_for=timedelta(seconds=30), done_file="{name}.done")
    assert codes(ready([seen("x.csv", ago=5), seen("x.csv.done")], both, NOW)) == {"x.csv": "FILE_NOT_STABLE"}
    assert codes(ready([seen("x.csv", ago=30), seen("x.csv.done")], both, NOW)) == {"x.csv": "ready"}


@pytest.mark.parametrize("policy", [STABLE, RENAMED])
def test_an_empty_file_is_refused_once_it_has_rested(policy: Ready) -> None:
    assert codes(ready([seen("new.csv", size=0), seen("x.csv", ago=60, size=0)], policy, NOW)) == {
        "new.csv": "FILE_NOT_STABLE",
        "x.csv": "FILE_EMPTY",
    }


def test_what_the_listing_refused_is_refused_and_its_neighbours_are_judged() -> None:
    files = [seen("link.csv", ago=60), seen("good.csv", ago=60)]
    judged = ready(files, STABLE, NOW, refusals={"link.csv": "FILE_IS_LINK"})
    assert codes(judged) == {"link.csv": "FILE_IS_LINK", "good.csv": "ready"}


def test_marker_and_file_are_matched_whatever_their_unicode_form() -> None:
    assert codes(ready([seen("la\u030an.csv", ago=60), seen("l\u00e5n.csv.done")], DONE, NOW)) == {"la\u030an.csv": "ready"}


def test_the_marker_of_a_file_is_known_so_that_it_goes_where_the_file_goes() -> None:
    assert marker("in/x.csv", Ready(done_file="ok_{name}")) == "in/ok_x.csv"
    assert marker("x.csv", STABLE) is None
