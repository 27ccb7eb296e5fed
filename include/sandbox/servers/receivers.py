"""Keys of made-up receivers of encrypted files: OpenPGP by Sequoia, certificates by `cryptography`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pysequoia
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from include.engine import clock

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Receiver:
    """What a receiver gives away (`text`, and its fingerprint), and what it keeps."""

    text: str
    fingerprint: str
    secret: bytes = field(repr=False)


def openpgp(name: str) -> Receiver:
    """A new OpenPGP key."""
    key = pysequoia.Tsk.generate(f"{name} <{name.lower()}@dbc.example>")
    public = key.extract_certificate()
    text = str(pysequoia.armor(bytes(public), pysequoia.ArmorKind.PublicKey))
    return Receiver(text, public.fingerprint, bytes(key))


def certificate(name: str) -> Receiver:
    """A new RSA key of 2,048 bits and its own certificate, valid for a year."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = clock.now()
    made = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), now - _DAY, now + 365 * _DAY)
    found = made.sign(key, hashes.SHA256())
    public = found.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Receiver(public.decode(), found.fingerprint(hashes.SHA256()).hex(), secret + public)
