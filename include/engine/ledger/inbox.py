"""What lies in the partners' inboxes, look by look, so that readiness and newness are judged by (path, size, mtime), never by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from include.engine.errors import WrongState
from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import inbox_file, inbox_look
from include.engine.ledger.types import storable

_CHUNK = 500


class Listed(Protocol):
    """One entry of a listing: size in bytes, mtime in nanoseconds since the epoch. `storage.Seen` is one."""

    @property
    def path(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def mtime_ns(self) -> int: ...


class Seen(NamedTuple):
    """A plain `Listed`."""

    path: str
    size: int
    mtime_ns: int


class InboxFile(NamedTuple):
    """A file of an inbox that has no delivery yet. With this size and mtime it was seen from `first_seen_at` to `last_seen_at`."""

    partner: str
    flow: str
    inbox: str
    path: str
    size: int
    mtime_ns: int
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True)
class InboxLook:
    """When an inbox was last tried (`tried_at`) and last read in full (`looked_at`); `failures` in a row since, the last in `note` and its
    reason in `code`."""

    partner: str
    flow: str
    inbox: str
    looked_at: datetime | None
    files: int
    tried_at: datetime
    failures: int
    note: str | None
    code: str | None


def look(
    ledger: Ledger, partner: str, flow: str, inbox: str, listing: Sequence[Listed], now: datetime, *, tx: sa.Connection | None = None
) -> list[InboxFile]:
    """Enter a whole listing of an inbox; returns its files that have no delivery yet, in the order of the listing.

    A file whose size or mtime changed starts anew (seen first `now`, no delivery), and so does one that waits and was first seen later than
    `now`, by a clock that was set back. One that is no longer listed is forgotten, so a file that comes back is new. Of files that did not
    change nothing is written: that all were there `now` is one row of the inbox.
    """
    here = {storable(one.path): one for one in listing}
    with ledger.writing(tx) as tx:
        _looked(
            ledger,
            tx,
            (partner, flow, inbox),
            {"looked_at": now, "tried_at": now, "files": len(here), "failures": 0, "note": None, "code": None},
        )
        f = inbox_file.c
        mine = sa.and_(f.partner == partner, f.flow == flow, f.inbox == inbox)
        rows = tx.execute(sa.select(f.path, f.size, f.mtime_ns, f.first_seen_at, f.delivery_id).where(mine))
        known = {row[0]: row for row in rows.all()}
        fresh = [path for path, one in here.items() if (old := known.get(path)) is None or _anew(tuple(old), one, now)]
        gone = [path for path in known if path not in here]
        for start in range(0, len(gone), _CHUNK):
            tx.execute(sa.delete(inbox_file).where(mine, f.path.in_(gone[start : start + _CHUNK])))
        if fresh:
            place = {"partner": partner, "flow": flow, "inbox": inbox, "first_seen_at": now, "delivery_id": None}
            rest = [place | {"path": path, "size": here[path].size, "mtime_ns": here[path].mtime_ns} for path in fresh]
            tx.execute(_upsert(ledger, inbox_file, ("size", "mtime_ns", "first_seen_at", "delivery_id")), rest)
    new = set(fresh)
    return [
        InboxFile(partner, flow, inbox, one.path, one.size, one.mtime_ns, now if path in new else known[path][3], now)
        for path, one in here.items()
        if path in new or known[path][4] is None
    ]


def _anew(old: tuple[Any, ...], one: Listed, now: datetime) -> bool:
    _, size, mtime_ns, first_seen_at, delivery_id = old
    return (size, mtime_ns) != (one.size, one.mtime_ns) or (delivery_id is None and first_seen_at > now)


def look_failed(
    ledger: Ledger,
    partner: str,
    flow: str,
    inbox: str,
    note: str,
    now: datetime,
    *,
    code: str | None = None,
    tx: sa.Connection | None = None,
) -> None:
    """Note that an inbox could not be read, for the reason `code`. What was known of its files stays."""
    with ledger.writing(tx) as tx:
        said = {"tried_at": now, "note": note, "code": code}
        failures = inbox_look.c.failures + 1
        first = said | {"files": 0, "failures": 1, "looked_at": None}
        _looked(ledger, tx, (partner, flow, inbox), first, update=said | {"failures": failures})


def looks(ledger: Ledger, *, partner: str | None = None, tx: sa.Connection | None = None) -> list[InboxLook]:
    """The last look at each inbox: which is due again, which has failed for long."""
    query = sa.select(inbox_look).order_by(*inbox_look.primary_key)
    if partner is not None:
        query = query.where(inbox_look.c.partner == partner)
    with ledger.reading(tx) as tx:
        return [InboxLook(**row._mapping) for row in tx.execute(query)]


def forget(ledger: Ledger, gone: Iterable[InboxLook], *, tx: sa.Connection | None = None) -> None:
    """Forget the looks at inboxes that no flow has any more: what failed there needs nobody. Which files were seen there stays known."""
    i = inbox_look.c
    with ledger.writing(tx) as tx:
        for one in gone:
            tx.execute(sa.delete(inbox_look).where(i.partner == one.partner, i.flow == one.flow, i.inbox == one.inbox))


def bind_delivery(
    ledger: Ledger, partner: str, flow: str, inbox: str, path: str, delivery_id: str, *, tx: sa.Connection | None = None
) -> None:
    """Say which delivery a file has become, so that later looks no longer return it. WrongState when it is not in the inbox (any more).

    Give `tx` to do it in one transaction with `deliveries.see`: a file then never has half of it.
    """
    f = inbox_file.c
    this = sa.and_(f.partner == partner, f.flow == flow, f.inbox == inbox, f.path == storable(path))
    with ledger.writing(tx) as tx:
        if tx.execute(sa.update(inbox_file).where(this).values(delivery_id=delivery_id)).rowcount != 1:
            raise WrongState("its file is no longer in the inbox.", where=delivery_id, do="It is looked for again at the next round.")


def _looked(
    ledger: Ledger, tx: sa.Connection, place: tuple[str, str, str], values: dict[str, Any], *, update: dict[str, Any] | None = None
) -> None:
    # This row comes first: two looks at one inbox stand in line behind it.
    row = dict(zip(("partner", "flow", "inbox"), place, strict=True)) | values
    insert = postgresql.insert(inbox_look) if not ledger.sqlite else sqlite.insert(inbox_look)
    tx.execute(insert.values(row).on_conflict_do_update(index_elements=list(inbox_look.primary_key), set_=update or values))


def _upsert(ledger: Ledger, table: sa.Table, columns: Iterable[str]) -> sa.Insert:
    if ledger.sqlite:
        lite = sqlite.insert(table)
        return lite.on_conflict_do_update(index_elements=list(table.primary_key), set_={name: lite.excluded[name] for name in columns})
    full = postgresql.insert(table)
    return full.on_conflict_do_update(index_elements=list(table.primary_key), set_={name: full.excluded[name] for name in columns})
