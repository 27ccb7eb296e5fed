"""Airflow on its embedded default (SQLite, LocalExecutor), all of it below one keeper, on loopback and free ports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.sandbox.airflow_home import prepare
from include.sandbox.servers.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
PARALLELISM = 6


def environment(home: Path, port: int, extra: Mapping[str, str]) -> dict[str, str]:
    """What Airflow is told: every setting here has its reason in docs/running.md."""
    airflow_home = home / "airflow"
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")},
        "AIRFLOW_HOME": str(airflow_home),
        "PYTHONPATH": str(ROOT),
        "BINDERY_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": str(PARALLELISM),
        "AIRFLOW__CORE__MAX_ACTIVE_RUNS_PER_DAG": str(PARALLELISM),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{airflow_home}/airflow.db",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",
        **extra,
    }


@dataclass(frozen=True)
class Airflow:
    """A running Airflow: its address, its logs, and one call to its API."""

    url: str
    env: dict[str, str]
    logs: Path
    keeper: subprocess.Popen[str]

    def api(self, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
        """One call of the public REST API (/api/v2), JSON in and out."""
        request = urllib.request.Request(  # noqa: S310 - loopback only
            f"{self.url}/api/v2/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._token()}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)

    def _token(self) -> str:
        with urllib.request.urlopen(f"{self.url}/auth/token", timeout=30) as answer:  # noqa: S310
            token: str = json.load(answer)["access_token"]
            return token


@contextmanager
def running(home: Path, extra: Mapping[str, str]) -> Iterator[Airflow]:
    """Airflow's API server, scheduler and DAG processor, up and answering; all of them gone at the end, however it ends."""
    port = free_port()
    env = environment(home, port, extra)
    logs = home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    prepare(Path(env["AIRFLOW_HOME"]), env)
    airflow = str(Path(sys.executable).with_name("airflow"))
    commands = {name: {"args": [airflow, name], "log": str(logs / f"{name}.log")} for name in ("api-server", "scheduler", "dag-processor")}
    commands_file = home / "keeper.json"
    commands_file.write_text(json.dumps(commands))
    keeper = subprocess.Popen(
        [sys.executable, "-m", "include.sandbox.keeper", str(commands_file)],
        env=env, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        found = Airflow(f"http://127.0.0.1:{port}", env, logs, keeper)
        _wait_until_it_answers(found)
        yield found
    finally:
        assert keeper.stdin is not None
        keeper.stdin.close()
        keeper.wait(timeout=60)


def _wait_until_it_answers(airflow: Airflow, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if airflow.keeper.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{airflow.url}/api/v2/version", timeout=5):  # noqa: S310
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.5)
    raise RuntimeError(f"Airflow did not answer at {airflow.url}; its logs are in {airflow.logs}")
