"""Free ports, and children that do not outlive their parent."""

from __future__ import annotations

import ctypes
import secrets
import signal
import socket
import subprocess
import time

HOST = "127.0.0.1"
PASSWORD = "sandbox-only"
OWN = range(20_000, 32_000)
"""Ports that Linux gives to nobody who asks for any: those begin at 32768 (ip(7), ip_local_port_range)."""


def free_port() -> int:
    """A TCP port that nobody listens on now, and that no other program gets by chance until it is used, or used again."""
    while True:
        port = OWN[secrets.randbelow(len(OWN))]
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        return port


def wait_until_open(port: int, seconds: float = 60.0, process: subprocess.Popen[bytes] | None = None) -> bool:
    """Whether something listens on the port within that time, and before `process`, which is to listen there, has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and (process is None or process.poll() is None):
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((HOST, port)) == 0:
                return True
        time.sleep(0.05)
    return False


def wait_until_closed(port: int, seconds: float = 60.0) -> bool:
    """Whether nothing listens on the port any more within that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) != 0:
                return True
        time.sleep(0.02)
    return False


def die_with_parent() -> None:
    """For a subprocess before its exec: end when the parent ends (Linux, prctl(2) PR_SET_PDEATHSIG), however that ended."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
