"""A mail leaves, or it is said why not; whatever stands in names and passwords."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import AuthResult

from include.engine.credentials import EnvironmentCredentials
from include.engine.engine import Engine
from include.engine.errors import Unreachable
from include.engine.ledger import Ledger
from include.engine.mail import post
from include.sandbox.servers.ports import HOST, free_port
from include.sandbox.servers.smtp import smtp_server


def engine(ledger: Ledger, folder: Path, connection: str) -> Engine:
    return Engine(folder / "home", ledger, EnvironmentCredentials({"AIRFLOW_CONN_BINDERY_SMTP": connection}), {}, folder)


@pytest.fixture
def asking_who() -> Iterator[int]:
    """The port of a server that lets nobody send without a login."""
    controller = Controller(
        Sink(),
        hostname=HOST,
        port=free_port(),
        auth_require_tls=False,
        auth_required=True,
        authenticator=lambda *_: AuthResult(success=True),
    )
    controller.start()
    yield controller.port
    controller.stop()


def test_a_subject_of_several_lines_is_one_line(tmp_path: Path, ledger: Ledger) -> None:
    with smtp_server(tmp_path / "mails") as server:
        assert post(engine(ledger, tmp_path, server.connection_uri), "anne@example.org", "Lindeby\nBcc: all@example.org", "text", "d1")
        [mail] = server.mails()
    assert (mail["Subject"], mail["Bcc"]) == ("Lindeby Bcc: all@example.org", None)


def test_a_password_that_smtp_cannot_send_is_told_of_and_not_shown(tmp_path: Path, ledger: Ledger, asking_who: int) -> None:
    connection = f"smtp://bindery:hemmelig%C3%B8@{HOST}:{asking_who}/?disable_ssl=true&disable_tls=true"
    with pytest.raises(Unreachable, match="no ASCII") as caught:
        post(engine(ledger, tmp_path, connection), "anne@example.org", "subject", "text", "d1")
    assert "hemmelig" not in str(caught.value) and caught.value.__cause__ is None
    assert post(engine(ledger, tmp_path, connection.replace("%C3%B8", "o")), "anne@example.org", "subject", "text", "d1")
