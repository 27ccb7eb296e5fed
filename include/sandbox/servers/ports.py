"""Free ports, and children that do not outlive their parent."""

from __future__ import annotations

import ctypes
import signal
import socket
import time

HOST = "127.0.0.1"
PASSWORD = "sandbox-only"


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def wait_until_open(port: int, seconds: float = 10.0) -> bool:
    """Whether something listens on the port within that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((HOST, port)) == 0:
                return True
        time.sleep(0.05)
    return False


def die_with_parent() -> None:
    """For a subprocess before its exec: end when the parent ends (Linux, prctl(2) PR_SET_PDEATHSIG), however that ended."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
