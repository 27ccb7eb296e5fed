"""Bulk API 2.0 ingest: a job from Open to JobComplete, its rows, and the three CSVs of results.

Bulk API 2.0 and Bulk API Developer Guide, "Bulk API 2.0 Ingest": states, 150 MB a job (base64 counted), 10,000 rows a batch, result files
`successfulResults`, `failedResults`, `unprocessedrecords`.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from include.sandbox.servers.salesforce.org import API, INTEGRATION_USER, OBJECTS, Org, RowError
from include.sandbox.servers.switches import Switches

MOST_BYTES = 150 * 1024 * 1024 * 3 // 4
_SEPARATORS = {"COMMA": ",", "SEMICOLON": ";", "TAB": "\t", "PIPE": "|", "CARET": "^", "BACKQUOTE": "`"}
FINAL = {"JobComplete", "Failed", "Aborted"}


class Bad(Exception):
    """An answer of 400 with an error code."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.message, self.status = code, message, status


@dataclass
class Job:
    """One ingest job. `puts` counts its uploads: a second one makes it unusable, as in Salesforce."""

    id: str
    object: str
    operation: str
    external_id: str
    line_ending: str
    delimiter: str
    created: str
    by: str = INTEGRATION_USER
    state: str = "Open"
    message: str = ""
    body: bytes = b""
    puts: int = 0
    asked: int = 0
    done: list[dict[str, str]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)
    unprocessed: list[dict[str, str]] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)

    def info(self) -> dict[str, Any]:
        """The job as `GET jobs/ingest/{id}` tells it."""
        return {
            "id": self.id, "object": self.object, "operation": self.operation, "state": self.state, "externalIdFieldName": self.external_id,
            "contentType": "CSV", "apiVersion": float(API), "lineEnding": self.line_ending, "columnDelimiter": self.delimiter,
            "createdById": self.by, "createdDate": self.created, "concurrencyMode": "Parallel", "jobType": "V2Ingest",
            "contentUrl": f"services/data/v{API}/jobs/ingest/{self.id}/batches", "errorMessage": self.message or None,
            "numberRecordsProcessed": len(self.done) + len(self.failed), "numberRecordsFailed": len(self.failed),
        }  # fmt: skip


@dataclass
class Ingest:
    """All jobs of the org. `polls` is how often a job is asked for its state before it is complete."""

    org: Org
    faults: Switches
    jobs: dict[str, Job] = field(default_factory=dict)
    polls: int = 1

    def create(self, asked: dict[str, Any], by: str = INTEGRATION_USER) -> Job:
        if asked.get("object") not in OBJECTS:
            raise Bad("INVALIDENTITY", f"Entity {asked.get('object')} not found")
        if asked.get("operation") == "upsert" and not asked.get("externalIdFieldName"):
            raise Bad("INVALIDJOB", "ExternalIdFieldName must be specified")
        number = len(self.jobs) + 1
        job = Job(
            f"750{number:012d}AAA", asked["object"], asked["operation"], asked.get("externalIdFieldName") or "Id",
            asked.get("lineEnding", "LF"), asked.get("columnDelimiter", "COMMA"), self.org.now(), by,
        )  # fmt: skip
        self.jobs[job.id] = job
        return job

    def upload(self, job: Job, body: bytes) -> None:
        if job.state != "Open":
            raise Bad("INVALIDJOBSTATE", f"Invalid job state '{job.state}' for uploading data. Job should be in Open state.")
        job.puts += 1
        if job.puts > 1:
            raise Bad(
                "CLIENT_INPUT_ERROR", f"Found multiple contents for job: <{job.id}>, please 'Close' / 'Abort' / 'Delete' the current Job"
            )
        if len(body) > MOST_BYTES:
            raise Bad("INVALIDREQUEST", "The upload is larger than 150 MB", 413)
        job.body = body

    def change(self, job: Job, state: str) -> None:
        if state == "UploadComplete" and job.state == "Open":
            if job.puts != 1:
                raise Bad("INVALIDJOBSTATE", "the job has no content, or several")
            job.state = "UploadComplete"
        elif state == "Aborted" and job.state not in FINAL:
            job.state = "Aborted"
            if job.body:
                _, job.columns, rows = self._read(job)
                job.unprocessed = rows
        elif job.state != state:
            raise Bad("INVALIDJOBSTATE", f"Invalid job state transition from '{job.state}' to '{state}'")

    def look(self, job: Job) -> Job:
        """A job goes on whenever it is asked for its state: tests need no waiting."""
        if job.state in {"UploadComplete", "InProgress"}:
            job.asked += 1
            job.state = "InProgress"
            if job.asked > self.polls:
                self._work(job)
        return job

    def _read(self, job: Job) -> tuple[str, list[str], list[dict[str, str]]]:
        text = job.body.decode("utf-8")
        if job.line_ending == "LF" and "\r\n" in text.partition("\n")[0] + "\n":
            return "InvalidBatch : LineEnding is invalid on user data. Current LineEnding setting is LF", [], []
        reader = csv.DictReader(io.StringIO(text), delimiter=_SEPARATORS[job.delimiter])
        return "", list(reader.fieldnames or ()), list(reader)

    def _work(self, job: Job) -> None:
        wrong, job.columns, rows = self._read(job)
        unknown = [name for name in job.columns if not self._known(job.object, name)]
        if wrong or unknown:
            job.state, job.message, job.unprocessed = "Failed", wrong or f"InvalidBatch : Field name not found : {unknown[0]}", rows
            return
        stop = len(rows) // 2 if self.faults.take("job_failed") else len(rows)
        aborted = self.faults.take("job_aborted")
        stop = len(rows) // 2 if aborted else stop
        locked = self.faults.take("lock_rows")
        # Within one internal batch, the same external id twice is refused.
        for start in range(0, len(rows), 10_000):
            batch = rows[start : start + 10_000]
            twice = {key for key, count in Counter(row.get(job.external_id, "").casefold() for row in batch).items() if count > 1}
            for number, row in enumerate(batch, start=start):
                if number >= stop:
                    job.unprocessed.append(row)
                else:
                    self._row(job, row, twice, locked and number % 3 == 0)
        short = stop < len(rows)
        job.state = "Aborted" if aborted else "Failed" if short else "JobComplete"
        job.message = "InternalServerError : the job was ended by an unexpected error" if short and not aborted else ""

    def _row(self, job: Job, row: dict[str, str], twice: set[str], locked: bool) -> None:
        key = row.get(job.external_id, "")
        try:
            if locked:
                raise RowError("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records: 001000000000001AAA")
            if job.operation == "delete":
                self.org.delete(job.object, row.get("Id", ""))
                job.done.append({"sf__Id": row["Id"], "sf__Created": "false", **row})
                return
            if key.casefold() in twice:
                raise RowError("DUPLICATE_VALUE", f"Duplicate external id specified: {key}", [job.external_id])
            values = {name: value for name, value in row.items() if name not in {job.external_id, "Id"} and value != ""}
            found, new = self.org.upsert(job.object, job.external_id, key, values)
            job.done.append({"sf__Id": found, "sf__Created": str(new).lower(), **row})
        except RowError as error:
            job.failed.append({"sf__Id": "", "sf__Error": str(error), **row})

    def _known(self, object_name: str, column: str) -> bool:
        fields = OBJECTS[object_name][1]
        lookup, _, key = column.partition(".")
        if key:
            return (lookup.removesuffix("__r") + "__c" if lookup.endswith("__r") else f"{lookup}Id") in fields
        return column in fields or column == "Id"


def results(job: Job, kind: str) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows of one of the three result files."""
    if kind == "successfulResults":
        return ["sf__Id", "sf__Created", *job.columns], job.done
    if kind == "failedResults":
        return ["sf__Id", "sf__Error", *job.columns], job.failed
    return job.columns, job.unprocessed


def as_csv(columns: list[str], rows: list[dict[str, str]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()
