"""The service as a process: one port, uvloop, and an end at SIGTERM that lets the requests under way be answered."""

from __future__ import annotations

import logging
import socket
import sys
from pathlib import Path

import uvicorn

from connectors.adhl.service.app import application

_GRACE_SECONDS = 10


def serve(root: Path, host: str, port: int) -> None:
    """Answer on `host`:`port` (0: any free one, told on standard output) until SIGTERM or SIGINT. OSError when the port is taken."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(1024)
        print(f"ADHL's lookup service on http://{host}:{listening.getsockname()[1]}/", flush=True)
        config = uvicorn.Config(
            application(root),
            log_config=None,
            log_level="warning",
            access_log=False,  # what somebody looks up is nobody's business
            server_header=False,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            limit_concurrency=1000,
        )
        uvicorn.Server(config).run(sockets=[listening])
