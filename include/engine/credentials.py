"""Where a connection's host, login and secrets come from; never from a YAML file.

Airflow's side resolves them from Airflow's connections; the sidecar and the tests read the same `AIRFLOW_CONN_<ID>` variables that Airflow
reads (Airflow documentation, "Managing Connections": URI format and JSON format), with the same meaning.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from include.engine.errors import MissingCredential, SettingsError

PREFIX = "AIRFLOW_CONN_"
_KNOWN = {"conn_type", "host", "login", "password", "schema", "port", "extra", "description", "uri"}


@dataclass(frozen=True)
class Connection:
    """One outside system's address and secrets. What is not given is "" (the port: None). Secrets are not shown by repr."""

    id: str
    kind: str
    host: str = ""
    port: int | None = None
    login: str = ""
    password: str = field(default="", repr=False)
    schema: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def flag(self, name: str, default: bool = False) -> bool:
        """A yes/no of `extra`: a URI can only say "true", JSON says true."""
        value = self.extra.get(name, default)
        return value if isinstance(value, bool) else str(value).strip().lower() in {"1", "true", "yes", "on"}

    def text(self, name: str) -> str:
        """A text of `extra`; "" when it is not there."""
        value = self.extra.get(name)
        return "" if value is None else str(value)


class Credentials(Protocol):
    """Whoever can resolve a connection id."""

    def get(self, connection_id: str) -> Connection:
        """The connection. MissingCredential, naming the id, when there is none."""
        ...


@dataclass(frozen=True)
class EnvironmentCredentials:
    """Connections from `AIRFLOW_CONN_<ID>` variables; `environment` is the process's own when not given."""

    environment: Mapping[str, str] | None = field(default=None, repr=False)

    def get(self, connection_id: str) -> Connection:
        environment = os.environ if self.environment is None else self.environment
        value = environment.get(PREFIX + connection_id.upper(), "").strip()
        if not value:
            raise MissingCredential(
                f"the connection {connection_id} is not set up",
                do=f"Add it in Airflow (Admin, Connections), or set {PREFIX}{connection_id.upper()}.",
                values={"value": connection_id},
            )
        return from_json(connection_id, value) if value.startswith("{") else from_uri(connection_id, value)


def from_uri(connection_id: str, uri: str) -> Connection:
    """`kind://login:password@host:port/schema?name=value`, each part percent-encoded; `?__extra__=<JSON>` holds extras that are no text.

    `kind://protocol://host` gives the host `protocol://host`. As in Airflow, "-" in the kind becomes "_" and `postgresql` is `postgres`.
    """
    kind, found, rest = uri.partition("://")
    if not found or rest.partition("?")[0].count("://") > 1:
        raise _unusable(connection_id, "it is no URI such as sftp://login:password@host:22/")
    protocol, found, address = rest.partition("://")
    if not found or re.search(r"[@:/?]", protocol):
        protocol, address = "", rest
    try:
        parts = urlsplit(f"//{address}")
        port = parts.port
    except ValueError:
        raise _unusable(connection_id, "its address or port cannot be read") from None
    host = unquote(_host(parts.netloc))
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    extra: Any = query
    if "__extra__" in query:
        extra = query["__extra__"]
    return Connection(
        connection_id,
        _kind(kind.lower()),
        f"{protocol}://{host}" if protocol and host else host,
        port,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        unquote(parts.path[1:]),
        _extra(connection_id, extra),
    )


def from_json(connection_id: str, text: str) -> Connection:
    """`{"conn_type", "host", "login", "password", "schema", "port", "extra"}`; `extra` is an object, or the JSON text of one."""
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise _unusable(connection_id, f"it is no JSON (at character {error.pos})") from None
    if unknown := sorted(set(given) - _KNOWN):
        raise _unusable(connection_id, f"{', '.join(unknown)}: no such field; known are {', '.join(sorted(_KNOWN))}")
    if given.get("uri"):
        return from_uri(connection_id, given["uri"])
    try:
        port = int(given["port"]) if given.get("port") else None
    except (TypeError, ValueError):
        raise _unusable(connection_id, "its port is no number") from None

    def part(name: str) -> str:
        return "" if given.get(name) is None else str(given[name])

    return Connection(
        connection_id,
        _kind(part("conn_type")),
        part("host"),
        port,
        part("login"),
        part("password"),
        part("schema"),
        _extra(connection_id, given.get("extra")),
    )


def _host(netloc: str) -> str:
    """The host as it is written: urlsplit's own `hostname` makes it lower-case, as Airflow does, but not inside an IPv6 zone."""
    host = netloc.rpartition("@")[2]
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _kind(kind: str) -> str:
    return "postgres" if kind == "postgresql" else kind.replace("-", "_")


def _extra(connection_id: str, extra: Any) -> Mapping[str, Any]:
    if isinstance(extra, str):
        try:
            extra = json.loads(extra) if extra else {}
        except json.JSONDecodeError:
            raise _unusable(connection_id, "its extra is no JSON") from None
    if extra is None:
        return {}
    if not isinstance(extra, dict):
        raise _unusable(connection_id, "its extra is no JSON object")
    return extra


def _unusable(connection_id: str, what: str) -> SettingsError:
    """Never quotes the value: it holds secrets."""
    return SettingsError(
        f"the connection {connection_id} cannot be used: {what}", do=f"Mend it in Airflow, or in {PREFIX}{connection_id.upper()}."
    )
