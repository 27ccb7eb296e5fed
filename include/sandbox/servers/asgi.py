"""An ASGI application as a real server, in a thread of this process, over TLS or plainly, on loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from include.sandbox.servers.ports import HOST
from include.sandbox.servers.tls import Certificates


@contextmanager
def serving(app: Any, *, tls: Certificates | None = None, port: int = 0, name: str = "sandbox-http") -> Iterator[int]:
    """Serve `app` until the block ends; yields the port. Clients that hang on are cut off."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((HOST, port))
    config = uvicorn.Config(
        app, log_level="critical", access_log=False, lifespan="off", timeout_graceful_shutdown=1, loop="asyncio", http="h11",
        ssl_certfile=str(tls.certificate) if tls else None, ssl_keyfile=str(tls.key) if tls else None, server_header=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name=name, daemon=True)
    thread.start()
    end = time.monotonic() + 60
    while not server.started:
        if not thread.is_alive() or time.monotonic() > end:
            raise RuntimeError(f"{name} did not start")
        time.sleep(0.01)
    try:
        yield int(listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()
