"""An SMB share: files that are held open, and a server that stops answering."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest
import smbclient

from include.engine.credentials import EnvironmentCredentials
from include.engine.storage.drive import Timeouts
from include.engine.storage.filesystem import open_store
from include.sandbox.servers.ports import HOST
from include.sandbox.servers.smb import SmbServer, available, smb_server
from tests.engine.storage.remote import code_of, within


def test_a_file_that_its_writer_holds_open_is_busy_and_readable_once_it_is_closed(smb: SmbServer) -> None:
    uri = {"AIRFLOW_CONN_INBOX": smb.connection_uri}
    session = {"username": smb.login, "password": smb.password, "port": smb.port, "connection_cache": {}}
    writer = smbclient.open_file(rf"\\{HOST}\{smb.share}\open.csv", "wb", share_access="rwd", **session)
    with open_store("smb://inbox/deliveries", EnvironmentCredentials(uri)) as store:
        writer.write(b"half")
        assert code_of(lambda: store.open_read("open.csv")) == "FILE_IN_USE"
        writer.close()
        assert store.open_read("open.csv").read() == b"half"
        store.delete("open.csv")
    smbclient.reset_connection_cache(connection_cache=session["connection_cache"])


def test_an_smb_server_that_stops_answering_is_given_up_and_found_again(tmp_path: Path) -> None:
    found, why = available()
    if not found:
        pytest.skip(why)
    with smb_server(tmp_path) as server:
        tmp_path.joinpath("x.csv").write_bytes(b"x")
        with relay(server.port) as (port, stalled):
            uri = server.connection_uri.replace(f":{server.port}/", f":{port}/")
            store = open_store("smb://inbox/deliveries", EnvironmentCredentials({"AIRFLOW_CONN_INBOX": uri}), timeouts=Timeouts(30, 3))
            assert store.list()
            stalled.set()
            assert within(40, store.list) == "STORE_TIMEOUT"
            stalled.clear()
            assert store.list()
            store.close()


class relay:
    """Passes bytes between a client and a server's port, until told to stall."""

    def __init__(self, port: int) -> None:
        self._target, self._stalled = port, threading.Event()

    def __enter__(self) -> tuple[int, threading.Event]:
        self._listening = socket.create_server((HOST, 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return self._listening.getsockname()[1], self._stalled

    def __exit__(self, *error: object) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection((HOST, self._target))
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                while self._stalled.is_set():
                    time.sleep(0.05)
                target.sendall(data)
        except OSError:
            pass
        finally:
            target.close()
