"""CMS EnvelopedData (RFC 5652, section 6), written and read as a stream in BER: AES-256-CBC, its key by RSAES-OAEP with SHA-256 (RFC 4055, 8017).

    ContentInfo { envelopedData, [0] EnvelopedData {
        version 0, recipientInfos SET OF KeyTransRecipientInfo { 0, issuerAndSerialNumber, keyEncryptionAlgorithm, encryptedKey },
        encryptedContentInfo { data, { aes256-CBC, iv }, [0] content } } }

The content's length is not known when its first byte is written, so everything around it has BER's indefinite length, as `openssl cms
-stream` writes it. EnvelopedData has no check of integrity: what was altered is noticed only where the padding breaks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from cryptography import x509
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from include.engine.crypto.envelope import ber
from include.engine.crypto.envelope.recipient import Recipient, Sink, check_fingerprint, unusable
from include.engine.crypto.envelope.whole import whole
from include.engine.errors import Tampered

DATA, ENVELOPED = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.3"
AES_256_CBC, RSA, OAEP, MGF1, SHA256 = (
    "2.16.840.1.101.3.4.1.42",
    "1.2.840.113549.1.1.1",
    "1.2.840.113549.1.1.7",
    "1.2.840.113549.1.1.8",
    "2.16.840.1.101.3.4.2.1",
)
BLOCK = 1 << 16
_SHA256 = ber.sequence(ber.oid(SHA256), ber.NULL)
_OAEP_SHA256 = ber.sequence(ber.oid(OAEP), ber.sequence(ber.tagged(0, _SHA256), ber.tagged(1, ber.sequence(ber.oid(MGF1), _SHA256))))


def recipient(name: str, material: bytes, fingerprint: str, at: datetime, revoked: bytes | None) -> Recipient:
    """See envelope.recipient. The certificate is pinned by its fingerprint (SHA-256): no chain is asked for."""
    try:
        text = b"-----BEGIN" in material
        found = x509.load_pem_x509_certificate(material) if text else x509.load_der_x509_certificate(material)
        key = found.public_key()
    except ValueError:
        raise unusable(name, "it is no X.509 certificate") from None
    check_fingerprint(name, found.fingerprint(hashes.SHA256()).hex(), fingerprint)
    if not found.not_valid_before_utc <= at <= found.not_valid_after_utc:
        span = f"{found.not_valid_before_utc:%Y-%m-%d} to {found.not_valid_after_utc:%Y-%m-%d}"
        raise unusable(name, f"it is valid from {span}", "RECIPIENT_EXPIRED")
    if revoked is not None and _is_revoked(name, revoked, found, at):
        raise unusable(name, "its issuer has revoked it", "RECIPIENT_REVOKED")
    if not isinstance(key, RSAPublicKey) or key.key_size < 2048:
        raise unusable(name, "its key is no RSA key of 2,048 bits or more")
    try:
        if not found.extensions.get_extension_for_class(x509.KeyUsage).value.key_encipherment:
            raise unusable(name, "it may not be used to encrypt keys (keyUsage)")
    except x509.ExtensionNotFound:
        pass
    return Recipient(name, found.fingerprint(hashes.SHA256()).hex(), found.public_bytes(serialization.Encoding.DER))


def _is_revoked(name: str, material: bytes, certificate: x509.Certificate, at: datetime) -> bool:
    """By the issuer's list. One that is another issuer's, or that has run out, says nothing: the key is then refused too."""
    try:
        found = x509.load_pem_x509_crl(material) if b"-----BEGIN" in material else x509.load_der_x509_crl(material)
    except ValueError:
        raise unusable(name, "its list of revoked certificates cannot be read") from None
    if found.issuer != certificate.issuer or (found.next_update_utc is not None and found.next_update_utc < at.astimezone(UTC)):
        raise unusable(name, "its list of revoked certificates is not of its issuer, or has run out")
    return found.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None


@contextmanager
def encrypting(out: Sink, recipients: Sequence[Recipient]) -> Iterator[Sink]:
    """See envelope.encrypting."""
    secret, iv = os.urandom(32), os.urandom(16)
    infos = b"".join(sorted(_key_for(one, secret) for one in recipients))  # SET OF, in DER's order
    content = ber.sequence(ber.oid(AES_256_CBC), ber.octets(iv))
    head = ber.OPEN_SEQUENCE + ber.oid(ENVELOPED) + ber.open_tag(0) + ber.OPEN_SEQUENCE
    out.write(head + ber.integer(0) + ber.element(0x31, infos) + ber.OPEN_SEQUENCE + ber.oid(DATA) + content + ber.open_tag(0))
    writer = _Writer(out, secret, iv)
    yield writer
    writer.finish()
    out.write(ber.END * 5)


def _key_for(one: Recipient, secret: bytes) -> bytes:
    found = x509.load_der_x509_certificate(one.material)
    key = found.public_key()
    assert isinstance(key, RSAPublicKey)
    rid = ber.sequence(found.issuer.public_bytes(), ber.integer(found.serial_number))
    return ber.sequence(ber.integer(0), rid, _OAEP_SHA256, ber.octets(key.encrypt(secret, _oaep())))


def _oaep() -> rsa_padding.OAEP:
    return rsa_padding.OAEP(rsa_padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


class _Writer:
    """Plain bytes in, octet strings of at most BLOCK encrypted bytes out."""

    def __init__(self, out: Sink, secret: bytes, iv: bytes) -> None:
        self._out, self._pad = out, padding.PKCS7(128).padder()
        self._cipher = Cipher(AES(secret), CBC(iv)).encryptor()

    def write(self, data: bytes, /) -> int:
        """Take all of `data`."""
        with memoryview(data) as view:
            for start in range(0, len(view), BLOCK):
                self._put(self._cipher.update(self._pad.update(view[start : start + BLOCK])))
        return len(data)

    def finish(self) -> None:
        self._put(self._cipher.update(self._pad.finalize()) + self._cipher.finalize())

    def _put(self, sealed: bytes) -> None:
        if sealed:
            self._out.write(ber.octets(sealed))


def decrypt(source: BinaryIO, secret: bytes, to: Path) -> None:
    """See envelope.decrypt. Reads what this module writes and what `openssl cms -encrypt` does, streamed or not (RSA by OAEP or PKCS #1 v1.5)."""
    key = serialization.load_pem_private_key(secret, None)
    assert isinstance(key, RSAPrivateKey)
    mine = x509.load_pem_x509_certificate(secret[secret.index(b"-----BEGIN CERTIFICATE") :])
    try:
        with whole(to) as part:
            _decrypt(source, key, mine, part.write)
    except (ValueError, EOFError) as error:
        raise Tampered("the file cannot be opened: it was altered, cut short, or encrypted to somebody else.") from error


def _decrypt(source: BinaryIO, key: RSAPrivateKey, mine: x509.Certificate, take: object) -> None:
    reader = ber.Reader(source)
    reader.enter(0x30)
    _expect(reader.primitive(0x06), ENVELOPED)
    reader.enter(0xA0)
    reader.enter(0x30)
    reader.primitive(0x02)
    content_key = _content_key(reader.whole(0x31), key, mine)
    reader.enter(0x30)
    _expect(reader.primitive(0x06), DATA)
    algorithm = ber.children(reader.whole(0x30))
    _expect(algorithm[0][1], AES_256_CBC)
    cipher, unpad = Cipher(AES(content_key), CBC(algorithm[1][1])).decryptor(), padding.PKCS7(128).unpadder()
    for block in reader.octets(0x80):
        take(unpad.update(cipher.update(block)))  # type: ignore[operator]
    take(unpad.update(cipher.finalize()) + unpad.finalize())  # type: ignore[operator]


def _content_key(infos: bytes, key: RSAPrivateKey, mine: x509.Certificate) -> bytes:
    for tag, info in ber.children(infos):
        if tag != 0x30:
            continue
        _, rid, algorithm, sealed = ber.children(info)[:4]
        issuer, serial = ber.whole_children(rid[1])[:2]
        if issuer != mine.issuer.public_bytes() or serial != ber.integer(mine.serial_number):
            continue
        if ber.children(algorithm[1])[0][1] == ber.oid(RSA)[2:]:
            return key.decrypt(sealed[1], rsa_padding.PKCS1v15())
        return key.decrypt(sealed[1], _oaep())
    raise ValueError("it is encrypted to somebody else")


def _expect(found: bytes, name: str) -> None:
    if found != ber.oid(name)[2:]:
        raise ValueError(f"{name} was expected")
