"""Airflow DAG: a person's yes or no to a held delivery: docs/flows/replay.md"""

from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, Param, task
from airflow.sdk.exceptions import AirflowSkipException

from dags.house.flow import task_defaults
from dags.house.operations import answered, done, person, text


@task
def show(*, params: Any = None, run_id: Any = None) -> dict[str, str]:
    """What the person sees; with the answer given already, here or elsewhere since, nobody is asked."""
    from dags.house.engine import engine
    from include.engine.approval import ask

    if params["answer"]:
        answered(params["delivery"], params["answer"], params["who"])
        raise AirflowSkipException("answered")
    asked = done(lambda: ask(engine(), params["delivery"], who="airflow", run=run_id))
    if asked is None:
        raise AirflowSkipException("it was answered elsewhere")
    return {"subject": asked.subject, "body": asked.body}


@task
def act(said: Any, *, params: Any = None) -> None:
    """Yes starts a new delivery, linked to the held one, that no brake holds; no lets those that wait behind it go on."""
    answered(params["delivery"], said["chosen_options"][0], person(said), asked=True)


with DAG(
    "approve",
    schedule=None,
    catchup=False,
    max_active_runs=1000,  # a run that waits for its person takes no worker
    tags=["bindery", "operations"],
    doc_md="A person's yes or no to a held delivery, with what it would do shown (Required Actions). Dispatch starts a run for each held one.",
    default_args=task_defaults("flows"),
    params={
        "delivery": text("Delivery", "The delivery that is held; or blocked or failed, and not coming any more."),
        "answer": Param("", type="string", enum=["", "yes", "no"], title="Answer", description="Empty: it is shown first, and asked."),
        "who": text("Who", "Who says so, where the answer is given here: it stands in the audit.", default=""),
    },
) as approve:
    subject, body = (f"{{{{ ti.xcom_pull(task_ids='show')['{part}'] }}}}" for part in ("subject", "body"))
    ask = HITLOperator(task_id="ask", retries=0, execution_timeout=None, subject=subject, body=body, options=["yes", "no"])
    show() >> ask >> act(ask.output)
