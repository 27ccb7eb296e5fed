"""An SMTP server over aiosmtpd that keeps every mail in a maildir, where a person or a test can read it."""

from __future__ import annotations

import mailbox
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox

from include.sandbox.servers.ports import HOST, free_port


@dataclass(frozen=True)
class SmtpServer:
    """A running server; its mails lie in `folder` (maildir)."""

    folder: Path
    port: int
    host: str = HOST

    @property
    def connection_uri(self) -> str:
        """As Airflow reads it from AIRFLOW_CONN_<ID>: no login, no TLS, on the loopback address only."""
        return f"smtp://{self.host}:{self.port}/?disable_ssl=true&disable_tls=true"

    def mails(self) -> list[EmailMessage]:
        """Every mail so far, in the order of arrival."""
        box = mailbox.Maildir(self.folder, create=True)
        keys = sorted(box.keys())
        return [BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(box.get_bytes(key)) for key in keys]


@contextmanager
def smtp_server(folder: Path, *, port: int = 0) -> Iterator[SmtpServer]:
    """Take mails until the block ends. Runs in a thread of this process."""
    port = port or free_port()
    controller = Controller(Mailbox(folder), hostname=HOST, port=port, ready_timeout=60)
    controller.start()
    try:
        yield SmtpServer(folder, port)
    finally:
        controller.stop()
