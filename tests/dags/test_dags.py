"""The DAG files as Airflow sees them: they parse, they are short, and each flow is four steps with an acknowledgement that always runs."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import pytest

from include.engine.engine import ROOT

pytestmark = pytest.mark.airflow
SCREEN = 50  # lines


class _Ended(NamedTuple):
    """A task of a run, and how it ended."""

    task_id: str
    state: str


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory):
    home = tmp_path_factory.mktemp("airflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(home))
        patch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{home}/airflow.db")
        patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        from airflow.dag_processing.dagbag import DagBag

        bag = DagBag(str(ROOT / "dags"))
        assert bag.import_errors == {}
        yield bag.dags


def test_every_dag_file_gives_the_dag_of_its_name(dags) -> None:
    assert set(dags) == {path.stem for path in (ROOT / "dags").glob("*.py") if path.stem != "__init__"}


def test_every_dag_file_fits_on_a_screen() -> None:
    for path in (ROOT / "dags").glob("*.py"):
        assert len(path.read_text().splitlines()) <= SCREEN, path.name


def test_a_flow_is_receive_gate_publish_acknowledge_and_the_last_always_runs(dags) -> None:
    flow = dags["ils_import"]
    assert [task.task_id for task in flow.topological_sort() if task.task_id != "through"] == ["receive", "gate", "publish", "acknowledge"]
    assert flow.get_task("acknowledge").is_teardown
    assert {task.pool for task in flow.tasks} == {"flows"}
    assert flow.schedule is None


@pytest.mark.parametrize(
    ("name", "steps"), [("ils_import", "receive gate publish acknowledge"), ("adhl_upload", "select render send confirm")]
)
@pytest.mark.parametrize("fails", [None, 0, 1, 2, 3])
def test_a_run_is_green_only_where_every_step_was_done_however_well_the_last_one_ends(
    dags, name: str, steps: str, fails: int | None
) -> None:
    """By Airflow's own rule: which of a run's tasks decide. Those behind the one that fails are not done; the last step always runs."""
    ran = steps.split()
    ended = {step: "success" if fails is None or number < fails else "failed" for number, step in enumerate(ran)}
    ended["through"] = ended[ran[2]]
    ended[ran[3]] = "failed" if fails == 3 else "success"
    from airflow.models.dagrun import DagRun

    tasks = [_Ended(task.task_id, ended[task.task_id]) for task in dags[name].tasks]
    decide = DagRun()._tis_for_dagrun_state(dag=dags[name], tis=tasks)
    assert all(task.state == "success" for task in decide) == (fails is None)


def test_a_harvest_is_tried_for_hours_and_holds_no_worker_between_its_tries(dags) -> None:
    receive = dags["oai_harvest"].get_task("receive")
    assert receive.retries == 12
    assert sum(min(2**n, 30) for n in range(receive.retries)) > 4 * 60, "minutes, as long as BINDERY_RETRY_SECONDS is what it is"
    assert dags["ils_import"].get_task("receive").retries == 3


def test_a_flow_that_sends_is_select_render_send_confirm_and_the_last_always_runs(dags) -> None:
    flow = dags["adhl_upload"]
    assert [task.task_id for task in flow.topological_sort() if task.task_id != "through"] == ["select", "render", "send", "confirm"]
    assert flow.get_task("confirm").is_teardown
    assert flow.schedule is None


def test_a_flow_started_by_hand_asks_for_its_delivery(dags) -> None:
    with pytest.raises(Exception, match="delivery"):
        dags["ils_import"].params.validate()


def test_operations_ask_for_what_they_need(dags) -> None:
    assert {name: set(dags[name].params) for name in ("replay", "approve", "retract", "erasure", "start")} == {
        "replay": {"delivery", "reason", "record", "member"},
        "approve": {"delivery", "answer", "who"},
        "retract": {"delivery", "who"},
        "erasure": {"partner", "subject", "who"},
        "start": {"partner", "flow", "who"},
    }
    asked = deepcopy(dags["replay"].params)
    with pytest.raises(Exception, match="the third"):
        asked["record"] = "the third"
        asked.validate()


def test_dispatch_has_a_pool_of_its_own_and_never_overlaps_itself(dags) -> None:
    dispatch = dags["dispatch"]
    assert {task.pool for task in dispatch.tasks} == {"dispatch"}
    assert dispatch.max_active_runs == 1


def test_every_dag_tells_what_it_is_for_and_points_to_its_page(dags) -> None:
    for name, dag in dags.items():
        assert dag.doc_md, name
        first = Path(dag.fileloc).read_text().splitlines()[0]
        page = first.rpartition(" ")[2].strip('"')
        assert (ROOT / page).is_file(), f"{name}: {first}"


def test_the_pools_that_tasks_use_are_made_at_set_up(dags) -> None:
    import json

    pools = json.loads((ROOT / "dags" / "house" / "pools.json").read_text())
    assert {task.pool for dag in dags.values() for task in dag.tasks} <= set(pools)
