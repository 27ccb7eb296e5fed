"""The three ways in: OAuth 2.0 JWT bearer and client credentials (`/services/oauth2/token`), and SOAP login for old orgs."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree

from include.sandbox.servers.ports import PASSWORD

AUDIENCE = "https://login.salesforce.com"


def _pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


@dataclass
class Doorkeeper:
    """Who may come in, and the sessions that are alive. `private_key` (PEM) is what a client signs its assertion with."""

    username: str = "integration@lindeby.example"
    password: str = PASSWORD
    security_token: str = "token"
    consumer_key: str = "3MVG9sandbox"
    consumer_secret: str = "sandbox-only-secret"
    private_key: str = field(default_factory=lambda: _pem(rsa.generate_private_key(65537, 2048)))
    sessions: set[str] = field(default_factory=set)
    logins: list[str] = field(default_factory=list)

    def token(self, form: Mapping[str, str], authorization: str) -> dict[str, str]:
        """The token endpoint; returns the error as Salesforce words it."""
        grant = form.get("grant_type", "")
        if grant == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return self._bearer(form.get("assertion", ""))
        if grant == "client_credentials":
            given = base64.b64decode(authorization.removeprefix("Basic ")).decode() if authorization.startswith("Basic ") else ""
            known = f"{form.get('client_id', '')}:{form.get('client_secret', '')}"
            if f"{self.consumer_key}:{self.consumer_secret}" in (given, known):
                return {"access_token": self.enter("client_credentials"), "token_type": "Bearer"}
            return {"error": "invalid_client", "error_description": "invalid client credentials"}
        return {"error": "unsupported_grant_type", "error_description": "grant type not supported"}

    def _bearer(self, assertion: str) -> dict[str, str]:
        public = serialization.load_pem_private_key(self.private_key.encode(), None).public_key()
        try:
            claims: dict[str, Any] = jwt.decode(assertion, public, algorithms=["RS256"], audience=AUDIENCE)  # type: ignore[arg-type]
        except jwt.InvalidTokenError as error:
            return {"error": "invalid_grant", "error_description": f"invalid assertion: {type(error).__name__}"}
        if (claims.get("iss"), claims.get("sub")) != (self.consumer_key, self.username):
            return {"error": "invalid_grant", "error_description": "user hasn't approved this consumer"}
        return {"access_token": self.enter("jwt"), "token_type": "Bearer"}

    def soap(self, body: bytes) -> str | None:
        """The session id for a SOAP login; None when it is refused."""
        found = {etree.QName(one).localname: one.text or "" for one in etree.fromstring(body).iter() if isinstance(one.tag, str)}
        if found.get("username") == self.username and found.get("password") == self.password + self.security_token:
            return self.enter("soap")
        return None

    def enter(self, way: str) -> str:
        session = f"00D000000000001!{secrets.token_hex(16)}"
        self.sessions.add(session)
        self.logins.append(way)
        return session


def soap_answer(session: str | None, server_url: str) -> tuple[int, str]:
    """Status and XML of a SOAP login's answer."""
    head = '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
    if session is None:
        return 500, (
            f'{head} xmlns:sf="urn:fault.partner.soap.sforce.com"><soapenv:Body><soapenv:Fault><faultcode>INVALID_LOGIN</faultcode>'
            "<faultstring>INVALID_LOGIN: Invalid username, password, security token; or user locked out.</faultstring><detail><sf:LoginFault>"
            "<sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode><sf:exceptionMessage>Invalid username, password, security token; or user "
            "locked out.</sf:exceptionMessage></sf:LoginFault></detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>"
        )
    return 200, (
        f'{head} xmlns="urn:partner.soap.sforce.com"><soapenv:Body><loginResponse><result><serverUrl>{escape(server_url)}</serverUrl>'
        f"<sessionId>{escape(session)}</sessionId></result></loginResponse></soapenv:Body></soapenv:Envelope>"
    )
