"""A part as Bulk API 2.0 jobs: the first for all its rows, further ones for what was locked or left undone; each row accounted for once."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from connectors.crm.results import Refusal, Tally
from connectors.crm.salesforce import jobs
from connectors.crm.salesforce.jobs import RESULTS, Wanted
from connectors.crm.salesforce.org import Org
from connectors.crm.trouble import UNPROCESSED, reason_of, unreachable
from include.engine.errors import Refused

ROUNDS = 4
Note = Callable[[list[dict[str, Any]]], None]
"""Writes the part's jobs into the ledger, durably."""


def deliver(
    org: Org, body: bytes, wanted: Wanted, since: datetime | None, known: list[dict[str, Any]], note: Note, *, poll: float, longest: float
) -> Tally:
    """Upsert the CSV `body`. `known` are the jobs of earlier tries as `note` wrote them (`id`, `uploading`); `since`: when the first of
    them began, None when this is it.

    Done again after a crash at any point, it goes on with those jobs. Raises Refused, Unreachable.
    """
    made, tally, left = [dict(one) for one in known], Tally(), body
    for number in range(ROUNDS):
        job = _run(org, left, wanted, since, made, number, note, poll=poll, longest=longest)
        keys = _keys(left, wanted.key)
        again = _account(org, job, wanted.key, keys, tally)
        if not again:
            break
        if number + 1 < ROUNDS:
            left = _only(left, wanted.key, again)
            for key in again:
                tally.refused.pop(key)
            org.sleep(org.pause)
    return tally


def _run(
    org: Org,
    body: bytes,
    wanted: Wanted,
    since: datetime | None,
    made: list[dict[str, Any]],
    number: int,
    note: Note,
    *,
    poll: float,
    longest: float,
) -> str:
    """The id of the round's job, once it has ended."""
    for _ in range(ROUNDS):
        if number == len(made):
            made.append({"id": jobs.create(org, wanted, since, {one["id"] for one in made})})
            note(made)
        job = made[number]
        if _open(org, job, made, note):
            job["uploading"] = True
            note(made)
            if not jobs.upload(org, job["id"], body):
                _drop(org, made, note)
                continue
            jobs.close(org, job["id"])
        if number < len(made):
            jobs.wait(org, job["id"], poll=poll, longest=longest)
            return str(job["id"])
    raise unreachable(org.connection.id, "an upload that fails again and again")


def _open(org: Org, job: dict[str, Any], made: list[dict[str, Any]], note: Note) -> bool:
    """Whether the job waits for its rows. One whose upload an earlier try began is in doubt, and gives way to another."""
    try:
        found = jobs.state(org, job["id"])["state"]
    except Refused as refused:
        if not str(refused.values.get("value", "")).startswith("404"):
            raise
        made.pop()  # jobs are kept for seven days
        note(made)
        return False
    if found != "Open":
        return False
    if job.get("uploading"):
        _drop(org, made, note)
        return False
    return True


def _drop(org: Org, made: list[dict[str, Any]], note: Note) -> None:
    jobs.abort(org, made[-1]["id"])
    made.pop()
    note(made)


def _account(org: Org, job: str, key: str, keys: set[str], tally: Tally) -> list[str]:
    """Put every row of the job into the tally; returns those that another job should take: locked, unprocessed, or in no result at all."""
    seen: set[str] = set()
    for row in jobs.results(org, job, RESULTS[0]):
        seen.add(row[key])
        if row["sf__Created"] == "true":
            tally.created += 1
        else:
            tally.updated += 1
    again: list[str] = []
    for row in jobs.results(org, job, RESULTS[1]):
        seen.add(row[key])
        tally.refused[row[key]] = refusal_of(row["sf__Error"])
        if tally.refused[row[key]].transient:
            again.append(row[key])
    for one in (*(row[key] for row in jobs.results(org, job, RESULTS[2])), *sorted(keys)):
        if one not in seen:
            seen.add(one)
            tally.refused[one] = Refusal(UNPROCESSED, "the job ended before this row")
            again.append(one)
    return again


def refusal_of(error: str) -> Refusal:
    """`STATUS_CODE:message:Field Other --`, as the file of failed rows has it."""
    code, _, rest = error.partition(":")
    message, _, fields = rest.removesuffix("--").rstrip().rpartition(":")
    columns = tuple(name for name in fields.split() if name.isidentifier())
    return Refusal(code, message or rest, columns if reason_of(code) else ())


def _keys(body: bytes, key: str) -> set[str]:
    rows = csv.reader(io.StringIO(body.decode("utf-8"), newline=""))
    place = next(rows).index(key)
    return {row[place] for row in rows}


def _only(body: bytes, key: str, wanted: Iterable[str]) -> bytes:
    """The rows with these keys, in the order of the file: the same bytes whenever it is asked."""
    chosen, out = set(wanted), io.StringIO(newline="")
    rows, writer = csv.reader(io.StringIO(body.decode("utf-8"), newline="")), csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    head = next(rows)
    place = head.index(key)
    writer.writerow(head)
    writer.writerows(row for row in rows if row[place] in chosen)
    return out.getvalue().encode()
