"""Bulk API 2.0 ingest jobs: one at a time, found again after a crash, and never a second one for the same rows.

A job has no name of ours. What makes it findable: the ledger knows its id before the first row is uploaded. A job whose id was lost
between its creation and the ledger is therefore an Open one without rows: it is looked for, and taken. A job whose upload ended in doubt is
aborted before another is made: as long as it is Open none of its rows is worked on.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.crm.salesforce.org import TRIES, Org
from connectors.crm.trouble import refused, unreachable
from include.engine import clock
from include.engine.errors import Refused, Unreachable

INGEST = "jobs/ingest"
FINAL = frozenset({"JobComplete", "Failed", "Aborted"})
RESULTS = ("successfulResults", "failedResults", "unprocessedrecords")
CLOCKS_DIFFER = timedelta(minutes=5)
_ID = 15  # letters that tell ids apart; three more are a checksum that not every answer has
_QUOTED = re.compile(r"\S*@\S*|\d{4,}|'[^']*'")  # what a message may quote of a row


@dataclass(frozen=True)
class Wanted:
    """What a job is for."""

    object: str
    key: str

    def body(self) -> dict[str, str]:
        """As it is created: UTF-8 CSV with commas and line feeds, an upsert by the external id."""
        return {
            "object": self.object, "externalIdFieldName": self.key, "operation": "upsert", "contentType": "CSV", "lineEnding": "LF",
            "columnDelimiter": "COMMA",
        }  # fmt: skip


def create(org: Org, wanted: Wanted, since: datetime | None, known: set[str]) -> str:
    """The id of a new job. `since`: an earlier try began then and may have made one that it lost sight of, which is taken; None: there was
    none. `known` are jobs with another use."""
    begun = clock.now()
    lost = [] if since is None else _lost(org, wanted, since, known)
    if lost:
        for surplus in lost[1:]:
            abort(org, surplus)
        return lost[0]
    for number in range(1, TRIES + 1):
        try:
            return str(org.call("POST", INGEST, again=False, json=wanted.body()).json()["id"])
        except Unreachable as trouble:
            if trouble.code == "CRM_LIMIT":
                raise
            org.sleep(org.pause * number)
            if found := _lost(org, wanted, begun, known):
                return found[0]
            if number == TRIES:
                raise
    raise AssertionError


def _lost(org: Org, wanted: Wanted, since: datetime, known: set[str]) -> list[str]:
    """Our open jobs for the same, made since then and known to nobody; the oldest first. Another user's (a data loader's) are not ours to take."""
    path: str | None = INGEST
    found: list[tuple[str, str]] = []
    same = {name: wanted.body()[name] for name in ("object", "operation")}
    while path:
        page = org.call("GET", path, params={"jobType": "V2Ingest"} if path == INGEST else None).json()
        for job in page["records"]:
            made = datetime.fromisoformat(job["createdDate"].replace("+0000", "+00:00"))
            fits = all(job.get(name) == value for name, value in same.items())
            if job["state"] != "Open" or not fits or made < since - CLOCKS_DIFFER or job["id"] in known:
                continue
            if _is_ours(org, job) and state(org, job["id"]).get("externalIdFieldName") == wanted.key:  # which the list does not tell
                found.append((job["createdDate"], job["id"]))
        path = None if page.get("done") else page.get("nextRecordsUrl")
    return [id for _, id in sorted(found)]


def _is_ours(org: Org, job: dict[str, Any]) -> bool:
    """Where the org does not tell who we are, no job is: one of ours that stays open has no rows, and does nothing."""
    try:
        return str(job["createdById"])[:_ID] == org.user[:_ID]
    except Refused:
        return False


def state(org: Org, job: str) -> dict[str, Any]:
    """The job as it is now."""
    found: dict[str, Any] = org.call("GET", f"{INGEST}/{job}").json()
    return found


def upload(org: Org, job: str, body: bytes) -> bool:
    """Upload the rows. False when it is in doubt whether they arrived."""
    headers = {"Content-Type": "text/csv; charset=UTF-8"}
    try:
        org.call("PUT", f"{INGEST}/{job}/batches", again=False, data=body, headers=headers)
    except Unreachable as trouble:
        if trouble.code == "CRM_LIMIT":
            raise
        return False
    return True


def close(org: Org, job: str) -> None:
    """Say that the upload is complete. Whether an answer is lost or not, the job's state tells."""
    try:
        org.call("PATCH", f"{INGEST}/{job}", again=False, json={"state": "UploadComplete"})
    except (Unreachable, Refused):
        if state(org, job)["state"] == "Open":
            raise


def abort(org: Org, job: str) -> None:
    """End a job whose rows must not be worked on; one that has ended is left as it is."""
    try:
        org.call("PATCH", f"{INGEST}/{job}", json={"state": "Aborted"})
    except Refused:
        if state(org, job)["state"] not in FINAL:
            raise


def wait(org: Org, job: str, *, poll: float, longest: float) -> dict[str, Any]:
    """The job once it has ended. Unreachable when it takes longer than `longest` seconds: the next try goes on waiting.

    Refused CRM_JOB_REFUSED for a job that Salesforce cannot work on at all, such as one with a field that it does not know.
    """
    waited, pause = 0.0, poll
    while (found := state(org, job))["state"] not in FINAL:
        if waited > longest:
            raise unreachable(org.connection.id, f"a job that is still {found['state']} after {waited:.0f} s")
        org.sleep(pause)
        waited += pause
        pause = min(pause * 1.5, 15.0)
    message = str(found.get("errorMessage") or "")
    if found["state"] == "Failed" and message.startswith("InvalidBatch"):
        raise refused("CRM_JOB_REFUSED", org.connection.id, value=_QUOTED.sub("…", message)[:200])
    return found


def results(org: Org, job: str, kind: str) -> Iterator[dict[str, str]]:
    """The rows of one of the three result files, page by page (`Sforce-Locator`), as UTF-8 whatever the answer says of its charset."""
    locator = ""
    while True:
        answer = org.call("GET", f"{INGEST}/{job}/{kind}", params={"locator": locator} if locator else None)
        yield from csv.DictReader(io.StringIO(answer.content.decode("utf-8"), newline=""))
        locator = answer.headers.get("Sforce-Locator", "")
        if locator in ("", "null"):
            return
