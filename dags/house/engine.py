"""The engine as Airflow gives it: its credentials are Airflow's connections. Imported inside tasks, never while a DAG file is parsed."""

from __future__ import annotations

from functools import cache

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from connectors import flow_models
from include.engine.credentials import Connection
from include.engine.engine import Engine
from include.engine.errors import MissingCredential


class AirflowCredentials:
    """Airflow's connections (its database, environment or secrets back end) as the engine's credentials."""

    def get(self, connection_id: str) -> Connection:
        """The connection; MissingCredential names one that is not set up."""
        try:
            found = BaseHook.get_connection(connection_id)
        except AirflowNotFoundException:
            raise MissingCredential(
                f"the connection {connection_id!r} is not set up.", do=f"Add it in Airflow (Admin, Connections) as {connection_id!r}."
            ) from None
        return Connection(
            id=connection_id,
            kind=found.conn_type or "",
            host=found.host or "",
            port=found.port,
            login=found.login or "",
            password=found.password or "",
            schema=found.schema or "",
            extra=found.extra_dejson,
        )


@cache
def engine() -> Engine:
    """This process's engine, from the environment (`BINDERY_*`) and Airflow's connections."""
    return Engine.open(AirflowCredentials(), flow_models())
