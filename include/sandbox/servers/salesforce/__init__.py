"""A stand-in for a Salesforce org, over TLS: logins, Bulk API 2.0 ingest, collections, queries, limits, and switches for its faults.

with salesforce_server(folder) as org:
    org.state.faults.set("job_created_500")
    credentials: {"AIRFLOW_CONN_LINDEBY_CRM": org.connection()}
    org.state.org.one("Contact", external_id)
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from include.sandbox.servers.asgi import serving
from include.sandbox.servers.ports import HOST
from include.sandbox.servers.salesforce.login import AUDIENCE
from include.sandbox.servers.salesforce.rest import application
from include.sandbox.servers.salesforce.state import State
from include.sandbox.servers.tls import Certificates, certificates


@dataclass(frozen=True)
class SalesforceServer:
    """A running org. `state` may be looked at and changed while it runs."""

    port: int
    state: State
    tls: Certificates

    def connection(self, way: Literal["jwt", "client_credentials", "soap"] = "jwt") -> str:
        """As Airflow reads it from AIRFLOW_CONN_<ID>."""
        door = self.state.door
        extra: dict[str, str] = {"login": way, "ca_file": str(self.tls.authority)}
        login, password = door.username, ""
        if way == "jwt":
            extra |= {"consumer_key": door.consumer_key, "private_key": door.private_key, "audience": AUDIENCE}
        elif way == "client_credentials":
            login, password = door.consumer_key, door.consumer_secret
        else:
            password, extra["security_token"] = door.password, door.security_token
        return json.dumps({"conn_type": "http", "host": HOST, "port": self.port, "login": login, "password": password, "extra": extra})


@contextmanager
def salesforce_server(folder: Path, *, port: int = 0) -> Iterator[SalesforceServer]:
    """Serve an empty org until the block ends; its certificates lie in `folder`. Runs in a thread of this process."""
    tls, state = certificates(folder), State()
    with serving(application(state), tls=tls, port=port, name="sandbox-salesforce") as listening:
        state.address = f"https://{HOST}:{listening}"
        yield SalesforceServer(listening, state, tls)
