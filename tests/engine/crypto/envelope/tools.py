"""The independent tools that the envelopes are held against: GnuPG and OpenSSL, each with a folder of its own."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.crypto.envelope.keys import Key


def _needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: `make test` as a user who may")


@contextlib.contextmanager
def gnupg(kind: str = "future-default") -> Iterator[tuple[list[str], Key]]:
    """A GnuPG with a new key of its own (a GnuPG of today reads no message that is written for keys made by others, RFC 9580): the beginning
    of its command line, and the key. Its agent is ended with it."""
    _needs("gpg")
    home = Path(tempfile.mkdtemp(prefix="gpg"))  # short: an agent's socket has a path of at most 107 bytes
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--yes", "--trust-model", "always"]
    try:
        new = ["--pinentry-mode", "loopback", "--passphrase", ""]
        subprocess.run([*command, *new, "--quick-gen-key", "Receiver <receiver@dbc.example>", kind], check=True, capture_output=True)
        public, secret = (
            subprocess.run([*command, *new, how], check=True, capture_output=True).stdout for how in ("--export", "--export-secret-keys")
        )
        listed = subprocess.run([*command, "--with-colons", "--list-keys"], check=True, capture_output=True, text=True).stdout
        fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))
        yield command, Key(public, secret, fingerprint)
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)
        shutil.rmtree(home, ignore_errors=True)


def openssl(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """One call of OpenSSL."""
    _needs("openssl")
    return subprocess.run(["openssl", "cms", *arguments], check=True, capture_output=True)
