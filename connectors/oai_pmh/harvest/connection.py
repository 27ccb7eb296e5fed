"""How a repository is reached: its address, and what it wants to know of us. Secrets come from an Airflow connection, never from YAML.

login and password                         HTTP basic authentication
password, extra {"auth": "bearer"}         Authorization: Bearer
password, extra {"auth": "api_key"}        a header: extra "header", X-API-Key without it; or, with extra "parameter", a field of the query
extra "client_certificate", "client_key"   mutual TLS: PEM files on this machine; "ca": the authority that signs the server's
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from include.engine.credentials import Connection
from include.engine.errors import SettingsError

AGENT = "Bindery (OAI-PMH harvester)"


@dataclass(frozen=True)
class _Header(AuthBase):
    name: str
    value: str = field(repr=False)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers[self.name] = self.value
        return request


@dataclass(frozen=True)
class _Parameter(AuthBase):
    name: str
    value: str = field(repr=False)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if request.url is not None:
            joint = "&" if urlsplit(request.url).query else "?"
            request.url = f"{request.url}{joint}{quote(self.name)}={quote(self.value, safe='')}"
        return request


@dataclass(frozen=True)
class _Nothing(AuthBase):
    """Also keeps requests from looking into a .netrc file."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class _Session(requests.Session):
    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """A redirect to another host gets none of our secrets."""
        super().rebuild_auth(prepared_request, response)
        if (
            isinstance(self.auth, _Header)
            and response.request.url
            and prepared_request.url
            and self.should_strip_auth(response.request.url, prepared_request.url)
        ):
            prepared_request.headers.pop(self.auth.name, None)


def address(url: str, connection: Connection | None) -> str:
    """The base URL: as the YAML has it, or its path at the connection's host (schema https unless it says http)."""
    if not url.startswith("/"):
        return url
    assert connection is not None
    host = connection.host if "://" in connection.host else f"{connection.schema or 'https'}://{connection.host}"
    if not urlsplit(host).hostname:
        raise SettingsError(f"the connection {connection.id} has no host.", do="Give it the repository's host.")
    return f"{host.rstrip('/')}{f':{connection.port}' if connection.port else ''}{url}"


def session(connection: Connection | None, *, gzip: bool = True) -> requests.Session:
    """A session that keeps its connection open and knows who we are."""
    made = _Session()
    made.headers.update({"User-Agent": AGENT, "Accept": "text/xml, application/xml;q=0.9, */*;q=0.1"})
    made.headers["Accept-Encoding"] = "gzip, deflate" if gzip else "identity"
    made.max_redirects = 5
    made.auth = _auth(connection) if connection else _Nothing()
    if connection:
        made.cert, made.verify = _certificates(connection)
        if sender := connection.text("from"):
            made.headers["From"] = sender
    return made


def _auth(connection: Connection) -> AuthBase:
    kind = connection.text("auth") or ("basic" if connection.login else "")
    if kind == "basic":
        return HTTPBasicAuth(connection.login.encode(), connection.password.encode())
    if kind == "bearer":
        return _Header("Authorization", f"Bearer {connection.password}")
    if kind == "api_key" and (parameter := connection.text("parameter")):
        return _Parameter(parameter, connection.password)
    if kind == "api_key":
        return _Header(connection.text("header") or "X-API-Key", connection.password)
    if kind:
        raise SettingsError(f"the connection {connection.id} asks for {kind!r}.", do='Its extra "auth" is one of basic, bearer, api_key.')
    return _Nothing()


def _certificates(connection: Connection) -> tuple[Any, Any]:
    certificate, key, ca = (connection.text(name) for name in ("client_certificate", "client_key", "ca"))
    return ((certificate, key) if key else certificate or None), ca or True
