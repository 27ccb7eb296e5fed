"""The board's door, in Airflow's terms: who has logged in, and the address of the board's secret. Nothing else of the board imports Airflow."""

from __future__ import annotations

import hashlib

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.configuration import conf
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from sqlalchemy import select

from plugins.board.viewer import Person


def users(user: GetUserDep) -> Person:
    """Whoever Airflow has let in. An engineer is who may change Airflow's connections: those open every partner's systems anyway.

    In Airflow's own words these are the roles Op and Admin; a Viewer or User is staff, and sees the partners whose YAML names them.
    """
    return Person(user.get_name(), bool(get_auth_manager().is_authorized_connection(method="PUT", user=user)))


def secret() -> bytes:
    """What forms are signed with: of Airflow's own secret, so that every API server agrees."""
    return hashlib.sha256(b"bindery board " + conf.get_mandatory_value("api", "secret_key").encode()).digest()


def delivery_of(dag_id: str, run_id: str) -> str | None:
    """The delivery of a run that a person started: it is in the run's conf, and the run's id says nothing of it."""
    with create_session() as session:
        found = session.scalar(select(DagRun.conf).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
    delivery = (found or {}).get("delivery")
    return delivery if isinstance(delivery, str) else None
