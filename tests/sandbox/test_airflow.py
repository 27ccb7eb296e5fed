"""What Airflow is told in the sandbox."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from include.sandbox.airflow import LOCKED, environment


def test_who_writes_into_airflows_database_waits_for_another_longer_than_sqlite_would(tmp_path: Path) -> None:
    (tmp_path / "airflow").mkdir()
    url = environment(tmp_path, 1, {})["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    with sa.create_engine(url).connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 1000 * LOCKED
    assert (tmp_path / "airflow" / "airflow.db").exists()
