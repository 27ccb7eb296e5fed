"""An IMAP server (pymap, a process of its own) over a maildir into which a stand-in puts its mails."""

from __future__ import annotations

import mailbox
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from pysasl.hashing import BuiltinHash

from include.sandbox.servers.ports import HOST, PASSWORD, free_port
from include.sandbox.servers.process import running

_PYMAP = "import sys; from pymap.main import main; sys.exit(main())"
LOGIN = "bindery"


@dataclass(frozen=True)
class ImapServer:
    """A running server with one mailbox, which lies in `folder` (maildir)."""

    folder: Path
    port: int
    host: str = HOST

    @property
    def connection_uri(self) -> str:
        """As Airflow reads it from AIRFLOW_CONN_<ID>: no TLS, on the loopback address only."""
        return f"imap://{LOGIN}:{PASSWORD}@{self.host}:{self.port}/?tls=false"

    def deliver(self, message: EmailMessage) -> None:
        """Put a mail into the mailbox."""
        mailbox.Maildir(self.folder).add(message)


@contextmanager
def imap_server(folder: Path, *, port: int = 0, seconds: float = 60) -> Iterator[ImapServer]:
    """Serve a mailbox in `folder` until the block ends. Start it from a thread that lives as long (see process.served)."""
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    hashed = BuiltinHash(hash_name="sha256", salt_len=16, rounds=1000).hash(PASSWORD)
    (folder / "pymap-etc-passwd").write_text(f"{LOGIN}:x::::box:\n")
    (folder / "pymap-etc-shadow").write_text(f"{LOGIN}:{hashed}:::::::\n")
    mailbox.Maildir(folder / "box", create=True)
    command = [sys.executable, "-c", _PYMAP, "--host", HOST, "--port", str(port), "--no-tls", "maildir", str(folder.absolute())]
    with running(command, "the IMAP server", port, log=folder / "pymap.log", seconds=seconds):
        yield ImapServer(folder / "box", port)
