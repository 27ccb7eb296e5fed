"""An installation of its own for the demo: a home, a master key, and servers on free ports whose addresses are Airflow connections."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from include.engine import clock
from include.sandbox.demo import partners
from include.sandbox.servers import smb
from include.sandbox.servers.sftp import sftp_server
from include.sandbox.servers.smtp import SmtpServer, smtp_server

ROOT = Path(__file__).resolve().parents[3]
HOME = ROOT / ".bindery" / "demo"


@dataclass
class Installation:
    """`inboxes` are the folders behind each library's inbox, `env` what Bindery's processes are told, `skipped` what could not be had."""

    home: Path
    env: dict[str, str]
    inboxes: dict[str, Path]
    mail: SmtpServer
    transports: dict[str, str]
    skipped: dict[str, str] = field(default_factory=dict)


@contextmanager
def installed(home: Path = HOME) -> Iterator[Installation]:
    """A fresh installation in `home`: what an earlier demo left there goes first."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    master = home / "secrets" / "master.key"
    master.parent.mkdir(mode=0o700)
    master.write_text(base64.b64encode(secrets.token_bytes(32)).decode())
    master.chmod(0o600)
    env = {
        "BINDERY_HOME": str(home),
        "BINDERY_PARTNERS": str(home / "partners"),
        "BINDERY_DISPATCH_SECONDS": "5",
        "BINDERY_RETRY_SECONDS": "3",
        "BINDERY_BOARD_KEPT": "0",
        "AIRFLOW_CONN_BINDERY_MASTER": json.dumps({"conn_type": "generic", "password": master.read_text()}),
    }
    inboxes = {"lindeby": home / "inbox" / "lindeby", "havnsund": home / "inbox" / "havnsund"}
    transports = {"lindeby": "local folder", "havnsund": "local folder"}
    skipped: dict[str, str] = {}
    with ExitStack() as stack:
        remote = home / "servers"
        (remote / "sftp" / "exports").mkdir(parents=True)
        sftp = stack.enter_context(sftp_server(remote / "sftp"))
        env["AIRFLOW_CONN_ALMVIK_INBOX"] = sftp.connection_uri
        inboxes["almvik"], transports["almvik"] = remote / "sftp" / "exports", f"SFTP, port {sftp.port}"
        there, why = smb.available()
        if there:
            (remote / "smb" / "exports").mkdir(parents=True)
            share = stack.enter_context(smb.smb_server(remote / "smb"))
            env["AIRFLOW_CONN_MOLENDAL_INBOX"] = share.connection_uri
            inboxes["molendal"], transports["molendal"] = remote / "smb" / "exports", f"SMB, port {share.port}"
        else:
            skipped["molendal"] = why
        partners.copied(home / "partners", clock.now(), without=skipped)
        mail = stack.enter_context(smtp_server(home / "mail"))
        env["AIRFLOW_CONN_BINDERY_SMTP"] = mail.connection_uri
        for folder in inboxes.values():
            folder.mkdir(parents=True, exist_ok=True)
        yield Installation(home, env, inboxes, mail, transports, skipped)


def environment_of(installation: Installation) -> dict[str, str]:
    """The whole environment for a process of this installation."""
    return {**os.environ, **installation.env, "PYTHONPATH": str(ROOT)}
