"""The sandbox's servers start on free ports of the loopback address, speak their protocols, and are gone when their block ends."""

from __future__ import annotations

import smtplib
import socket
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path

import pytest

from include.engine.credentials import EnvironmentCredentials
from include.engine.storage.filesystem import open_store
from include.sandbox.servers.ports import HOST, free_port, wait_until_closed, wait_until_open
from include.sandbox.servers.sftp import sftp_server
from include.sandbox.servers.smb import available, smb_server
from include.sandbox.servers.smtp import smtp_server


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def test_two_sftp_servers_run_side_by_side_and_are_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"x")
    with sftp_server(tmp_path) as one, sftp_server(tmp_path, login="åse", password="p@ss:/?") as two:
        assert one.port != two.port
        for server in (one, two):
            with open_store("sftp://s/", EnvironmentCredentials({"AIRFLOW_CONN_S": server.connection_uri})) as store:
                assert [seen.path for seen in store.list()] == ["x.csv"]
    assert not listens(one.port) and not listens(two.port)


def test_the_sftp_server_does_not_show_what_is_outside_its_folder(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret").write_bytes(b"x")
    with (
        sftp_server(inside) as server,
        open_store("sftp://s/~/", EnvironmentCredentials({"AIRFLOW_CONN_S": server.connection_uri})) as store,
    ):
        assert store.list() == []


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with sftp_server(tmp_path) as server, pytest.raises(OSError), sftp_server(tmp_path, port=server.port):
        pass


def test_an_smb_server_is_gone_after_its_block(tmp_path: Path) -> None:
    found, why = available()
    if not found:
        pytest.skip(why)
    with smb_server(tmp_path) as server:
        assert listens(server.port)
        with open_store("smb://s/deliveries", EnvironmentCredentials({"AIRFLOW_CONN_S": server.connection_uri})) as store:
            store.put("lån.csv", b"x")
    assert (tmp_path / "lån.csv").read_bytes() == b"x"
    assert not listens(server.port)


def test_an_smb_server_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    found, why = available()
    if not found:
        pytest.skip(why)
    port = free_port()
    program = (
        "import os, sys; from pathlib import Path; from include.sandbox.servers.smb import smb_server\n"
        f"with smb_server(Path({str(tmp_path)!r}), port={port}): os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=120).returncode == -9
    assert wait_until_closed(port)


def test_without_samba_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("include.sandbox.servers.smb._program", lambda name: None)
    assert available() == (False, "smbd is not installed (Debian package samba)")
    with pytest.raises(RuntimeError, match="not installed"), smb_server(tmp_path):
        pass


def test_mails_are_kept_in_a_maildir(tmp_path: Path) -> None:
    with smtp_server(tmp_path / "mails") as server:
        for subject in ("Kvittering på levering", "to"):
            mail = EmailMessage()
            mail["From"], mail["To"], mail["Subject"] = "a@example.org", "b@example.org", subject
            mail.set_content("14 sat til side")
            with smtplib.SMTP(server.host, server.port, timeout=60) as client:
                client.send_message(mail)
        kept = server.mails()
    assert {mail["Subject"] for mail in kept} == {"Kvittering på levering", "to"}
    assert kept[0].get_content().strip() == "14 sat til side"
    assert EnvironmentCredentials({"AIRFLOW_CONN_M": server.connection_uri}).get("m").port == server.port
    assert not listens(server.port)


def test_waiting_for_a_port_ends() -> None:
    assert not wait_until_open(free_port(), seconds=0.2)
