"""A delivery that Airflow's scheduler takes through, with each of its four tasks disturbed once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.house import prepare
from tests.crash.in_airflow import DIES, WAITS, leftovers, through
from tests.crash.processes import zygote
from tests.crash.state import differences
from tests.crash.targets import TARGETS

pytestmark = [pytest.mark.crash, pytest.mark.airflow, pytest.mark.long]


def test_airflows_tasks_and_a_supervisor_are_killed_two_tries_overlap_and_the_delivery_is_taken_in_once(tmp_path: Path) -> None:
    with zygote() as warm:
        house = prepare(warm, tmp_path, TARGETS[0], seed=1, claimed=False)
    run = through(house)
    assert run.points == {*DIES, WAITS}
    assert run.tries.keys() == {"receive", "gate", "publish", "acknowledge"}
    assert all(tries > 1 for tries in run.tries.values()), run.tries  # on a busy machine Airflow may take one more for dead
    assert (run.run_state, run.left.state) == ("success", "acknowledged")
    assert differences(run.left, run.before) == []
    answer, counts = house.answer, run.left.counts
    assert (counts["in_"], counts["published"], counts["quarantined"]) == (answer.records, answer.good, sum(answer.set_aside.values()))
    assert counts["balanced"]
    assert set(run.left.commits.values()) == {1}
    assert (run.left.manifests, run.left.pinned_is_newest) == (1, True)
    assert {table: rows.total() for table, rows in run.left.lake.items() if table in answer.rows} == answer.rows
    assert run.left.quarantined.total() == sum(answer.set_aside.values())
    assert set(run.left.quarantined.values()) == {1}
    assert leftovers(house.home) == []
    assert len([name for name in run.left.files["inbox"] if "/archive/" in name]) == 1
