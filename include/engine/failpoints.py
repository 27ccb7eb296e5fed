"""Named points at which the crash harness ends or stops a process (tests/crash). Without its variables a point costs three dictionary look-ups.

    BINDERY_DIE_AT=publish.committed      the process kills itself there with -9
    BINDERY_STOP_AT=stage.batch:3         it stops (SIGSTOP) at the third time it gets there, until somebody sends SIGCONT
    BINDERY_WAIT_AT=gate.bound            it waits for SIGCONT there; a stopped process would not outlive the one that started it
    BINDERY_ONCE=/a/folder                of all processes, one dies, stops or waits at each point, and leaves a file of its name there

Several points are separated by commas. A point is named `where.moment`; `POINTS` is what the harness goes through.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

POINTS: Mapping[str, str] = {
    "dispatch.listed": "the inboxes were listed, nothing is entered",
    "dispatch.entered": "deliveries are seen, none is claimed",
    "dispatch.claimed": "a delivery is claimed, its run is not started",
    "receive.claimed": "a try has its token, nothing else",
    "receive.landing": "the source is about to be read",
    "landing.block": "part of the source is read and sealed",
    "landing.sealed": "the landed file is whole and durable, under its temporary name",
    "receive.landed": "the landed file has its name, the ledger does not know it",
    "stage.batch": "some of the records are read",
    "spool.written": "a staged file is written, not durable",
    "spool.synced": "a staged file is durable, under its temporary name",
    "quarantine.synced": "the records set aside are durable, under a temporary name",
    "stage.written": "everything is staged, the ledger does not know it",
    "stage.recorded": "staged, and known",
    "gate.split": "some of the rows are judged",
    "gate.bound": "everything is judged and bound, the ledger does not know it",
    "gate.recorded": "gated, and known",
    "publish.before": "a try has its token, nothing is written to the lake",
    "lake.written": "a table's new files are durable, no commit names them",
    "lake.committed": "a table's commit is made, and not yet known to be durable",
    "publish.table": "a table is committed, others may not be",
    "publish.committed": "every table is committed, the ledger does not know it",
    "publish.recorded": "published and pinned, the task does not know it",
    "acknowledge.before": "a try has its token, nobody is told",
    "receipt.put": "a receipt is written, the ledger does not know it",
    "acknowledge.receipt": "the partner has the receipt, the source is in the inbox",
    "acknowledge.moved": "the source is archived, its done file is not",
    "acknowledge.archived": "the source is archived, the staged bytes are there",
    "acknowledge.purged": "the staged bytes are gone, the ledger does not know it",
}
"""Each point, and what is done and what is not when a process is there, in the order of a delivery's life."""

FETCH_POINTS: Mapping[str, str] = {
    "pull.begun": "pages are about to be fetched, or fetched on",
    "pull.page": "a page has come, and is in memory alone",
    "pull.sealed": "some pages are durable, under a temporary name",
    "pull.part": "some pages are durable, under their name",
}
"""The same for deliveries that are fetched: these stand between receive.landing and landing.block."""

FORWARDING_POINTS: Mapping[str, str] = {
    "forwarding.sending": "the journal says that a transaction is told to the library system, nothing was sent",
    "forwarding.sent": "the library system has done it, the journal does not know what came of it",
}
"""The same for what self-service tells a library system afterwards."""

REWRAP_POINTS: Mapping[str, str] = {
    "rewrap.begun": "the ledger says that the new master key counts, no data key is wrapped anew",
    "rewrap.batch": "some of the data keys are wrapped anew",
}
"""The same for a change of the master key."""

passed: Counter[str] = Counter()
"""How often this process came to each point, counted while one of the variables is set."""


def point(name: str) -> None:
    """Die (-9), stop or wait here when the environment says so; otherwise nothing."""
    die, stop, wait = (os.environ.get(f"BINDERY_{what}_AT") for what in ("DIE", "STOP", "WAIT"))
    if die is None and stop is None and wait is None:
        return
    passed[name] += 1
    if _meant(die, name) and _first(name):
        os.kill(os.getpid(), signal.SIGKILL)
    if _meant(stop, name) and _first(name):
        os.kill(os.getpid(), signal.SIGSTOP)
    if _meant(wait, name) and _first(name):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCONT})
        signal.sigwait({signal.SIGCONT})


def _meant(points: str | None, name: str) -> bool:
    """Whether `points` names this pass: `name` is the first one, `name:3` the third."""
    return any((one if ":" in one else f"{one}:1") == f"{name}:{passed[name]}" for one in (points or "").split(","))


def _first(name: str) -> bool:
    """Whether no other process has died or stopped here, where only one is to; the file that says so holds its id."""
    folder = os.environ.get("BINDERY_ONCE")
    if folder is None:
        return True
    try:
        with (Path(folder) / name).open("x") as mark:
            mark.write(str(os.getpid()))
    except FileExistsError:
        return False
    return True
