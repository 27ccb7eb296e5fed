"""What goes wrong, when it is switched on: each fault a number of times."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

FAULTS = (
    "login_refused",  # invalid_grant
    "session_expires",  # the next call: 401 INVALID_SESSION_ID
    "session_expires_in_job",  # the same while a job is asked for its state
    "limit_exceeded",  # 403 REQUEST_LIMIT_EXCEEDED
    "unavailable",  # 503
    "job_created_500",  # the job is there, the answer is 500
    "upload_500",  # the bytes are there, the answer is 500
    "upload_lost",  # the answer is 500, nothing arrived
    "close_500",  # the job goes on, the answer is 500
    "result_500",  # a page of results cannot be had
    "job_failed",  # Failed with the first half of its rows done
    "job_aborted",  # somebody aborts it in Setup
    "lock_rows",  # every third row: UNABLE_TO_LOCK_ROW
    "collection_500",  # a composite call is done, the answer is 500
    "no_charset",  # results say text/csv and nothing of the charset
)


@dataclass
class Faults:
    """`faults.set("session_expires", 2)`; `taken` counts what has gone wrong."""

    left: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)

    def set(self, name: str, times: int = 1) -> None:
        """Let it go wrong the next `times` times; ValueError for what is no fault."""
        if name not in FAULTS:
            raise ValueError(f"{name!r} is no fault: one of {', '.join(FAULTS)}")
        self.left[name] = times

    def take(self, name: str) -> bool:
        """Whether it goes wrong now."""
        if self.left[name] <= 0:
            return False
        self.left[name] -= 1
        self.taken[name] += 1
        return True
