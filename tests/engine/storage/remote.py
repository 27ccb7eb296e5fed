"""What the tests of remote stores share: a folder and how it is reached, faults by their code, a forked child."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from include.engine.credentials import EnvironmentCredentials
from include.engine.errors import BinderyError
from include.engine.storage.drive import Timeouts
from include.engine.storage.filesystem import Store, open_store

SHORT = Timeouts(connect=1.0, answer=1.0)


@dataclass
class Place:
    """A server's folder and the store that reaches it from outside."""

    folder: Path
    uri: str
    connection_uri: str
    server: object = None
    extra: dict[str, str] = field(default_factory=dict)

    def store(self, timeouts: Timeouts | None = None) -> Store:
        return open_store(self.uri, EnvironmentCredentials({"AIRFLOW_CONN_INBOX": self.connection_uri}), timeouts=timeouts)


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(BinderyError) as caught:
        work()
    assert "sandbox-only" not in str(caught.value)
    return caught.value.code


def within(seconds: float, work: Callable[[], object]) -> str:
    started = time.monotonic()
    code = code_of(work)
    assert time.monotonic() - started < seconds
    return code


def forked(work: Callable[[], bool]) -> bool:
    """What `work` says in a forked child, as an Airflow task is one."""
    child = os.fork()
    if child == 0:
        fine = False
        try:
            fine = work()
        finally:
            os._exit(0 if fine else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
