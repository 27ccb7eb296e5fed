"""The session in which a CRM, or its login, is spoken to: what it trusts, and how long it waits.

`trust_env` is off: the variable REQUESTS_CA_BUNDLE would overrule the certificate authority of the connection.
"""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import HTTPAdapter

from include.engine.credentials import Connection

SECONDS = (10.0, 120.0)
"""To connect, and to be answered."""


class _Timed(HTTPAdapter):
    """No call waits for ever: `requests` has no such setting for a session."""

    def send(self, request: Any, **how: Any) -> Any:  # type: ignore[override]
        how["timeout"] = how.get("timeout") or SECONDS
        return super().send(request, **how)


def session_of(connection: Connection) -> requests.Session:
    """A session that trusts the connection's `ca_file` (a PEM file) or the system's authorities, and nothing from the environment."""
    session = requests.Session()
    session.trust_env = False
    session.verify = connection.text("ca_file") or True
    session.mount("https://", _Timed())
    return session
