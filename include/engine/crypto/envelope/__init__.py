"""Files encrypted to somebody outside: OpenPGP or CMS, streamed in both directions, and only to keys that may be used today.

    to = [recipient("openpgp", "dbc_adhl_key", material, fingerprint, at=now), ...]
    with encrypting("openpgp", out, to) as plain:
        plain.write(...)

EnvelopedData (CMS) hides and does not authenticate; OpenPGP's integrity protection detects what was altered. Neither says who sent it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from include.engine.crypto.envelope import cms, openpgp
from include.engine.crypto.envelope.recipient import Recipient, Scheme, Sink

__all__ = ["Recipient", "Scheme", "Sink", "decrypt", "encrypting", "recipient"]


def recipient(scheme: Scheme, name: str, material: bytes, fingerprint: str, *, at: datetime, revoked: bytes | None = None) -> Recipient:
    """The recipient whose public key (OpenPGP) or certificate (X.509, for CMS) is `material`, binary or in its text form.

    `name` is what errors call it; `fingerprint` what the partner's YAML says that it must be; `revoked` a list of revoked certificates (CRL,
    for CMS; OpenPGP keys carry their revocation). Raises Refused RECIPIENT_WRONG, RECIPIENT_EXPIRED, RECIPIENT_REVOKED, RECIPIENT_UNUSABLE.
    """
    if scheme == "openpgp":
        return openpgp.recipient(name, material, fingerprint, at)
    return cms.recipient(name, material, fingerprint, at, revoked)


@contextmanager
def encrypting(scheme: Scheme, out: Sink, recipients: Sequence[Recipient]) -> Iterator[Sink]:
    """What is written to the context goes to `out`, encrypted so that each of the recipients can open it. An error leaves `out` unfinished."""
    if not recipients:
        raise ValueError("nobody to encrypt to")
    with openpgp.encrypting(out, recipients) if scheme == "openpgp" else cms.encrypting(out, recipients) as plain:
        yield plain


def decrypt(scheme: Scheme, source: BinaryIO, secret: bytes, to: Path) -> None:
    """Open what was encrypted to `secret` (an OpenPGP secret key, or a private key in PEM followed by its certificate) into the file `to`,
    which is there only once it is whole. Raises Tampered; for OpenPGP also Refused FILE_TOO_LARGE, beyond `openpgp.MOST` bytes: it is opened in
    memory, where everything else here streams. No flow of the house opens OpenPGP: the sandbox's stand-ins and the tests do."""
    if scheme == "openpgp":
        openpgp.decrypt(source, secret, to)
    else:
        cms.decrypt(source, secret, to)
