"""When a file in an inbox is whole, by the partner's own policy; never by its name alone, and never by its time against the clock.

A look at the inbox records each file's size and time; `first_seen_at` is when it was first seen with the present ones, `last_seen_at` the
latest look. Clocks of partners are wrong and copies keep old times, so a file's own time counts only as "unchanged" or "changed".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from include.engine.partner.settings import Ready
from include.engine.storage.seen import composed

SETTLED = timedelta(seconds=30)  # how long a file rests whose marker was there before it, where the partner says nothing


class Watched(Protocol):
    """A file of an inbox that has no delivery yet (the ledger's InboxFile)."""

    @property
    def path(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def first_seen_at(self) -> datetime: ...
    @property
    def last_seen_at(self) -> datetime: ...


F = TypeVar("F", bound=Watched)


@dataclass(frozen=True)
class Waiting(Generic[F]):
    """A file that is not whole yet: why (a reason code), what it waits for, and whether it has waited longer than agreed."""

    file: F
    code: str
    expected: str = ""
    overdue: bool = False


@dataclass(frozen=True)
class Judged(Generic[F]):
    """`ready` to be claimed; `waiting`; `refused` with a reason code: never whole, whatever the next look brings."""

    ready: list[F]
    waiting: list[Waiting[F]]
    refused: list[tuple[F, str]]


def ready(
    files: Sequence[F], policy: Ready, now: datetime, *, refusals: Mapping[str, str] | None = None, present: Collection[str] = ()
) -> Judged[F]:
    """Judge every file by `policy`. `files` must hold the markers too; a marker itself is none of the three, unless its data is overdue.

    `refusals` are the listing's own (`seen.refusals`); `present` are all paths of the listing, those with a delivery too: the marker of
    a file that was delivered and left there waits for nothing. An empty file that has settled is refused FILE_EMPTY.
    """
    judged: Judged[F] = Judged([], [], [])
    by_path = {composed(file.path): file for file in files}
    there = {composed(path) for path in present} | set(by_path)
    for file in files:
        path = composed(file.path)
        late = now - file.first_seen_at > policy.overdue_after
        if refusals and file.path in refusals:
            judged.refused.append((file, refusals[file.path]))
        elif policy.done_file is not None and (data := _marks(path, policy.done_file)) is not None:
            if late and data not in there:
                judged.waiting.append(Waiting(file, "FILE_DATA_MISSING", data, overdue=True))
        elif waits := _waits(file, path, by_path, policy):
            judged.waiting.append(Waiting(file, *waits, overdue=late))
        elif file.size == 0:
            judged.refused.append((file, "FILE_EMPTY"))
        else:
            judged.ready.append(file)
    return judged


def _waits(file: F, path: str, by_path: Mapping[str, F], policy: Ready) -> tuple[str, str] | None:
    if policy.rename_from is not None and path.casefold().endswith(policy.rename_from.casefold()):
        return "FILE_STILL_WRITTEN", path[: -len(policy.rename_from)]
    rests = timedelta(0) if policy.stable_for is None else policy.stable_for
    if policy.done_file is not None:
        awaited = _marker(path, policy.done_file)
        done = by_path.get(awaited)
        if done is None:
            return "FILE_DONE_MISSING", awaited
        if done.first_seen_at < file.first_seen_at:  # an older marker says nothing of these bytes: left from before, or sent first
            rests = max(rests, SETTLED)
    if file.size == 0:
        rests = max(rests, SETTLED)  # a writer has made the name, and no byte yet
    if file.last_seen_at - file.first_seen_at < rests:  # two looks, not one look and the clock: nothing may have looked since
        return "FILE_NOT_STABLE", ""
    return None


def marker(path: str, policy: Ready) -> str | None:
    """The path of the marker of a file, to be archived or deleted with it; None where the policy has none."""
    return None if policy.done_file is None else _marker(path, policy.done_file)


def _marker(path: str, pattern: str) -> str:
    folder, slash, name = path.rpartition("/")
    return folder + slash + composed(pattern.replace("{name}", name))


def _marks(path: str, pattern: str) -> str | None:
    """The path of the file that a marker belongs to; None when `path` is no marker."""
    folder, slash, name = path.rpartition("/")
    before, _, after = composed(pattern).partition("{name}")
    if name.startswith(before) and name.endswith(after) and len(name) > len(before) + len(after):
        return folder + slash + name[len(before) : len(name) - len(after)]
    return None
