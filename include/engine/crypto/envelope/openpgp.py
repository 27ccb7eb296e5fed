"""OpenPGP (RFC 9580, and RFC 4880 as GnuPG 2.2 writes it), by Sequoia in a process of its own.

Sequoia's Python binding works on whole files or whole memory, and holds the interpreter while it does. So a small child process
(`openpgp_child.py`) runs it between two pipes: nothing unencrypted touches a disk, and memory stays that of the child, some 25 MB. That is so
for encrypting; decrypting, which only stand-ins do, its binding holds the content (280 MB for a file of 100 MB, 490 MB for one of 300).
docs/decisions/encryption.md has the figures.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

from include.engine.crypto.envelope.recipient import Recipient, Sink, check_fingerprint, unusable
from include.engine.crypto.envelope.whole import whole
from include.engine.errors import Refused, Tampered, Unreachable
from include.engine.reasons import words

CHILD = Path(__file__).with_name("openpgp_child.py")
BLOCK = 1 << 18
MOST = 512 << 20
"""Encrypted bytes that are opened at most."""


def recipient(name: str, material: bytes, fingerprint: str, at: datetime) -> Recipient:
    """See envelope.recipient."""
    import pysequoia

    try:
        cert = pysequoia.Cert.from_bytes(material)
    except Exception as error:  # Sequoia raises its own kinds, and says nothing of secrets in them
        raise unusable(name, f"it is no OpenPGP key ({type(error).__name__})") from None
    check_fingerprint(name, cert.fingerprint, fingerprint)
    if cert.is_revoked:
        raise unusable(name, "its owner has revoked it", "RECIPIENT_REVOKED")
    if cert.expiration is not None and cert.expiration <= at:
        raise unusable(name, f"it expired on {cert.expiration:%Y-%m-%d}", "RECIPIENT_EXPIRED")
    try:
        # Sequoia leaves out a key that it may not use (an expired subkey, a signing key): alone it then finds nobody.
        pysequoia.encrypt(b"probe", recipients=[cert], armor=False)
    except Exception as error:
        raise unusable(name, f"nothing can be encrypted to it ({error})") from None
    return Recipient(name, cert.fingerprint, bytes(cert))


@contextmanager
def encrypting(out: Sink, recipients: Sequence[Recipient]) -> Iterator[Sink]:
    """See envelope.encrypting."""
    with _child("encrypt", [one.material for one in recipients], out.write) as stdin:
        yield stdin


def decrypt(source: BinaryIO, secret: bytes, to: Path, most: int = MOST) -> None:
    """See envelope.decrypt. The child holds the content in memory, up to twice its size: so no more than `most` encrypted bytes are taken."""
    try:
        with whole(to) as part, _child("decrypt", [secret], part.write) as stdin, contextlib.suppress(BrokenPipeError):
            taken = 0
            while block := source.read(BLOCK):
                taken += len(block)
                if taken > most:
                    values = {"limit": most}
                    raise Refused(words("FILE_TOO_LARGE", "en", **values), code="FILE_TOO_LARGE", values=values)
                stdin.write(block)
    except Unreachable as error:
        raise Tampered("the file cannot be opened: it was altered, cut short, or encrypted to somebody else.") from error


@contextmanager
def _child(what: str, keys: Sequence[bytes], take: object) -> Iterator[BinaryIO]:
    """A child at work: what is written to the context goes in, what it makes goes to `take`. Unreachable when it does not end well."""
    process = subprocess.Popen(
        [sys.executable, "-I", str(CHILD), what], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    stdin, stdout, stderr = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout), cast(BinaryIO, process.stderr)
    failed: list[BaseException] = []

    def drain() -> None:
        try:
            while block := stdout.read(BLOCK):
                take(block)  # type: ignore[operator]
        except BaseException as error:  # told by the thread that waits for this one
            failed.append(error)
            process.kill()

    drainer = threading.Thread(target=drain, name="openpgp", daemon=True)
    drainer.start()
    try:
        try:
            stdin.write(len(keys).to_bytes(4, "big"))
            for key in keys:
                stdin.write(len(key).to_bytes(4, "big") + key)
            stdin.flush()
            yield stdin
            stdin.close()
        except BrokenPipeError:
            pass  # the child has ended before its time: below it is told why
    except BaseException:
        process.kill()
        raise
    finally:
        with contextlib.suppress(OSError):
            stdin.close()
        drainer.join()
        said = stderr.read().decode(errors="replace").strip().rpartition("\n")[2]
        code = process.wait()
        stdout.close()
        stderr.close()
    if failed:
        raise failed[0]
    if code:
        raise Unreachable(f"OpenPGP did not {what} (status {code}): {said or 'it said nothing'}.", do="It is tried again.")
