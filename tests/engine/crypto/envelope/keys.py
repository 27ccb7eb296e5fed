"""Keys of made-up receivers: OpenPGP by Sequoia, certificates by `cryptography`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import pysequoia
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Key:
    """What the receiver keeps (`secret`), what it gives away (`public`), and the fingerprint of that."""

    public: bytes
    secret: bytes
    fingerprint: str


@cache
def openpgp(name: str = "Receiver", valid_for: int | None = None) -> Key:
    """A new OpenPGP key; `valid_for` seconds."""
    options = {} if valid_for is None else {"validity_seconds": valid_for}
    key = pysequoia.Tsk.generate(f"{name} <receiver@dbc.example>", **options)
    public = key.extract_certificate()
    return Key(bytes(public), bytes(key), public.fingerprint)


def openpgp_revoked() -> Key:
    """One that its owner has revoked."""
    key = pysequoia.Tsk.generate("Receiver <receiver@dbc.example>")
    public = key.extract_certificate()
    revoked = pysequoia.Cert.from_bytes(bytes(public) + bytes(public.revoke(key.certifier())))
    return Key(bytes(revoked), bytes(key), public.fingerprint)


@cache
def certificate(name: str = "receiver", begins: float = -1, ends: float = 365, *, wrap: bool = True, bits: int = 2048) -> Key:
    """A new RSA key and its own certificate, valid from `begins` to `ends` days from now."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(not wrap, False, wrap, False, False, False, False, False, False)
    found = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), NOW + begins * DAY, NOW + ends * DAY)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    public = found.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Key(public, secret + public, found.fingerprint(hashes.SHA256()).hex())


def revocation_list(of: Key, *revoked: Key, ends: float = 7) -> bytes:
    """The list that the issuer of `of` (itself) publishes, valid for `ends` days from now."""
    issuer = x509.load_pem_x509_certificate(of.public)
    builder = x509.CertificateRevocationListBuilder(issuer.subject, NOW - 30 * DAY, NOW + ends * DAY)
    for one in revoked:
        serial = x509.load_pem_x509_certificate(one.public).serial_number
        builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder(serial, NOW - DAY).build())
    key = serialization.load_pem_private_key(of.secret, None)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
