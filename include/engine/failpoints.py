"""Named points at which the crash harness ends the process (tests/crash): `BINDERY_DIE_AT=publish.committed` kills it there with -9.

Without that variable a point costs one dictionary look-up. A point is named `step.moment`; `POINTS` is what the harness goes through.
"""

from __future__ import annotations

import os
import signal
import time

POINTS = (
    "receive.claimed",
    "receive.landing",
    "receive.landed",
    "stage.batch",
    "stage.written",
    "stage.recorded",
    "gate.split",
    "gate.bound",
    "gate.recorded",
    "publish.before",
    "publish.table",
    "publish.committed",
    "publish.recorded",
    "acknowledge.before",
    "acknowledge.receipt",
    "acknowledge.archived",
    "acknowledge.purged",
)


def point(name: str) -> None:
    """Die here (-9), or stop here for `BINDERY_STOP_SECONDS`, when the environment says so; otherwise nothing."""
    if os.environ.get("BINDERY_DIE_AT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("BINDERY_STOP_AT") == name:
        time.sleep(float(os.environ.get("BINDERY_STOP_SECONDS", "5")))
