"""Into an org: OAuth 2.0 JWT bearer, client credentials, or SOAP login for old orgs.

simple-salesforce builds `https://<domain>.salesforce.com` by itself; here the connection's host is meant (a My Domain, a sandbox, a
stand-in), so its two login functions are called with that address. What else it lacks: a session that heeds only what it is told, and a
limit to waiting (connectors/crm/session.py).
"""

from __future__ import annotations

import base64
import time
from xml.parsers.expat import ExpatError
from xml.sax.saxutils import escape

import jwt
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceAuthenticationFailed
from simple_salesforce.login import soap_login, token_login

from connectors.crm.session import session_of
from connectors.crm.trouble import kind, login_failed, unreachable
from include.engine.credentials import Connection
from include.engine.errors import SettingsError

VERSION = "59.0"
AUDIENCE = "https://login.salesforce.com"


def login(connection: Connection) -> Salesforce:
    """A client that is logged in, one call. `extra.login` says how: jwt, client_credentials or soap.

    SettingsError when the connection lacks something, Refused CRM_LOGIN_REFUSED, Unreachable.
    """
    session, base = session_of(connection), address(connection)
    way = connection.text("login") or "jwt"
    try:
        if way == "jwt":
            data = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": _assertion(connection)}
            found = token_login(f"{base}/services/oauth2/token", data, "", "", None, None, session)
        elif way == "client_credentials":
            basic = base64.b64encode(f"{connection.login}:{connection.password}".encode()).decode()
            data = {"grant_type": "client_credentials"}
            found = token_login(f"{base}/services/oauth2/token", data, "", "", {"Authorization": f"Basic {basic}"}, None, session)
        elif way == "soap":
            headers = {"content-type": "text/xml; charset=UTF-8", "SOAPAction": "login"}
            found = soap_login(f"{base}/services/Soap/u/{VERSION}", _envelope(connection), headers, None, session)
        else:
            raise SettingsError(
                f"the connection {connection.id} logs in by {way!r}.", do="Set its extra `login` to jwt, client_credentials or soap."
            )
    except SalesforceAuthenticationFailed as error:
        raise login_failed(connection.id, error.code) from None
    except (requests.RequestException, ValueError, AttributeError, ExpatError) as error:  # the last two: an answer in another shape
        raise unreachable(connection.id, kind(error)) from None
    return Salesforce(session_id=found[0], instance=found[1], session=session, version=VERSION)


def address(connection: Connection) -> str:
    """`https://host[:port]`: Salesforce is spoken to over TLS only."""
    host = connection.host.removeprefix("https://").strip("/")
    if not host:
        raise SettingsError(
            f"the connection {connection.id} has no host.", do="Set it to the org's My Domain, such as x.my.salesforce.com."
        )
    return f"https://{host}:{connection.port}" if connection.port else f"https://{host}"


def _assertion(connection: Connection) -> str:
    """RFC 7523, signed with the connected app's key; valid for three minutes."""
    key = connection.text("private_key")
    claims = {
        "iss": connection.text("consumer_key"),
        "sub": connection.login,
        "aud": connection.text("audience") or AUDIENCE,
        "exp": int(time.time()) + 180,
    }
    try:
        return jwt.encode(claims, key, algorithm="RS256")
    except (jwt.PyJWTError, ValueError, TypeError):
        raise SettingsError(
            f"the private key of the connection {connection.id} cannot be read.", do="Put the PEM text into its extra `private_key`."
        ) from None


def _envelope(connection: Connection) -> str:
    """The partner WSDL's login."""
    password = escape(connection.password + connection.text("security_token"))
    return (
        '<?xml version="1.0" encoding="utf-8"?><env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Body>'
        f'<n1:login xmlns:n1="urn:partner.soap.sforce.com"><n1:username>{escape(connection.login)}</n1:username>'
        f"<n1:password>{password}</n1:password></n1:login></env:Body></env:Envelope>"
    )
