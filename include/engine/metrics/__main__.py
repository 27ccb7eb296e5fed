"""Figures for Prometheus and OpenTelemetry: python -m include.engine.metrics [--host 127.0.0.1] [--port 9109]"""

from __future__ import annotations

import argparse
import json
import signal
import threading

from include.engine.credentials import EnvironmentCredentials
from include.engine.engine import Engine
from include.engine.metrics.serve import push, serve


def main() -> None:
    """Answer and push until the process is stopped. The port is printed as one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m include.engine.metrics", description="Bindery's figures at /metrics.")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for all the machine's addresses; there is no login")
    parser.add_argument("--port", type=int, default=9109)
    asked = parser.parse_args()
    ledger = Engine.open(EnvironmentCredentials(), {}).ledger
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server, thread = serve(ledger, asked.host, asked.port)
    pushing = push(ledger)
    print(json.dumps({"metrics": server.server_port}), flush=True)
    stop.wait()
    server.shutdown()
    thread.join()
    if pushing is not None:
        pushing.shutdown()


if __name__ == "__main__":
    main()
