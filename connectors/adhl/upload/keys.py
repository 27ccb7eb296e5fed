"""The keys that a file is encrypted to: out of their connections, and only as long as each of them may be used."""

from __future__ import annotations

from datetime import datetime

from connectors.adhl.settings import AdhlUpload, Key
from include.engine.credentials import Credentials
from include.engine.crypto.envelope import Recipient, recipient
from include.engine.errors import SettingsError


def recipients(flow: AdhlUpload, credentials: Credentials, at: datetime) -> list[Recipient]:
    """Every key that the YAML names, or none: one that may not be used stops the delivery (Refused RECIPIENT_...)."""
    return [_recipient(flow, key, credentials, at) for key in flow.keys]


def _recipient(flow: AdhlUpload, key: Key, credentials: Credentials, at: datetime) -> Recipient:
    connection = credentials.get(key.connection)
    material = (connection.text("key") or connection.password).encode()
    if not material:
        raise SettingsError(
            "the connection holds no key.", where=f"connection {key.connection}", do="Put the public key into its password."
        )
    revoked = connection.text("crl").encode() or None
    return recipient(flow.encryption, key.connection, material, key.fingerprint, at=at, revoked=revoked)
