"""A stand-in for a Dataverse environment (Dynamics 365) and its token endpoint, over TLS, with switches for their faults.

with dataverse_server(folder) as crm:
    crm.state.environment.faults.set("throttled", 2)
    credentials: {"AIRFLOW_CONN_MOLENDAL_CRM": crm.connection()}
    crm.state.environment.one("contacts", key)
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from include.sandbox.servers.asgi import serving
from include.sandbox.servers.dataverse.web import State, application
from include.sandbox.servers.ports import HOST
from include.sandbox.servers.tls import Certificates, certificates


@dataclass(frozen=True)
class DataverseServer:
    """A running environment. `state` may be looked at and changed while it runs."""

    port: int
    state: State
    tls: Certificates

    def connection(self) -> str:
        """As Airflow reads it from AIRFLOW_CONN_<ID>."""
        extra = {"tenant": self.state.tenant, "authority": self.state.address, "ca_file": str(self.tls.authority)}
        return json.dumps(
            {
                "conn_type": "http", "host": HOST, "port": self.port, "login": self.state.client_id, "password": self.state.client_secret,
                "extra": extra,
            }
        )  # fmt: skip


@contextmanager
def dataverse_server(folder: Path, *, port: int = 0) -> Iterator[DataverseServer]:
    """Serve an empty environment until the block ends; its certificates lie in `folder`. Runs in a thread of this process."""
    tls, state = certificates(folder), State()
    with serving(application(state), tls=tls, port=port, name="sandbox-dataverse") as listening:
        state.address = f"https://{HOST}:{listening}"
        yield DataverseServer(listening, state, tls)
