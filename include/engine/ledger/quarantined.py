"""Which records were set aside, why, and what became of them since. Their bytes are in a sealed file; here is only where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from include.engine import clock
from include.engine.errors import UnknownDelivery
from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import delivery, quarantined

if TYPE_CHECKING:
    import pyarrow as pa

AT_ONCE = 10_000
"""Records that a transaction enters or clears where there are many: on SQLite nobody else writes meanwhile (0.4 s; a million took 45)."""
HALF = "half entered"
"""The note of records that were entered ahead of the end of their step. A step that does not come to its end takes them back."""
_FROM_ROWS = ("member", "record", "offset", "length", "reason", "column")


class Fate(StrEnum):
    """What became of a record that was set aside."""

    OPEN = "open"
    REPLAYED = "replayed"
    DISCARDED = "discarded"
    ERASED = "erased"


@dataclass(frozen=True)
class Quarantined:
    """One record that was set aside. `offset` and `length` are in the unpacked member, in bytes, which are row `blob_row` of `blob_uri`."""

    id: int
    delivery_id: str
    step: str
    member: str
    record: int
    offset: int
    length: int
    reason: str
    column: str | None
    blob_uri: str
    blob_row: int
    state: Fate
    note: str | None
    at: datetime
    partner: str
    flow: str


def add(
    ledger: Ledger,
    delivery_id: str,
    rows: pa.Table,
    blob_uri: str,
    *,
    step: str = "gate",
    more: bool = False,
    tx: sa.Connection | None = None,
) -> int:
    """Enter the rows of a SET_ASIDE table (its `raw` and `detail` stay in the sealed file `blob_uri`, row by row in the same order).

    What an earlier try of the same `step` entered is replaced, so that a step done twice counts once; `more` adds a further file of
    the same try instead. Returns the number of rows. Give `tx`, the transaction of `claims.advance`, so that it is fenced.
    """
    q = quarantined.c
    with ledger.writing(tx) as tx:
        same = _same(tx, delivery_id, step, blob_uri)
        if not more:
            clear(ledger, delivery_id, step=step, tx=tx)
        for start in range(0, rows.num_rows, AT_ONCE):
            _insert(tx, same, _values(rows, start))
        count = sa.select(sa.func.count()).where(q.delivery_id == delivery_id, q.step == step, q.blob_uri == blob_uri)
        return int(tx.execute(count).scalar_one())


def add_ahead(
    ledger: Ledger, delivery_id: str, rows: pa.Table, blob_uri: str, *, step: str, fence: Callable[[sa.Connection], None]
) -> None:
    """Enter the rows as `add` does, AT_ONCE to a transaction that `fence` may refuse, ahead of the step's end: `settle` them in its transaction."""
    for start in range(0, rows.num_rows, AT_ONCE):
        values = _values(rows, start)
        with ledger.begin() as tx:
            fence(tx)
            _insert(tx, _same(tx, delivery_id, step, blob_uri) | {"note": HALF}, values)
        ledger.breathe()


def clear_ahead(ledger: Ledger, delivery_id: str, *, step: str, fence: Callable[[sa.Connection], None], all: bool = False) -> None:
    """Clear what earlier tries of `step` set aside, AT_ONCE to a transaction; where it is no more than that, and not `all` is to go, `clear` may."""
    q = quarantined.c
    some = sa.select(q.id).where(q.delivery_id == delivery_id, q.step == step)
    with ledger.read() as tx:
        left = tx.execute(sa.select(sa.func.count()).select_from(some.limit(AT_ONCE + 1).subquery())).scalar_one()
    if left <= AT_ONCE and not all:
        return
    while left:
        with ledger.begin() as tx:
            fence(tx)
            left = tx.execute(sa.delete(quarantined).where(q.id.in_(some.limit(AT_ONCE)))).rowcount
        if left:
            ledger.breathe()


def settle(tx: sa.Connection, delivery_id: str, *, step: str) -> None:
    """What was entered ahead stands, with the step's end that `tx` writes down."""
    q = quarantined.c
    tx.execute(sa.update(quarantined).where(q.delivery_id == delivery_id, q.step == step, q.note == HALF).values(note=None))


def take_back(tx: sa.Connection, delivery_id: str) -> None:
    """What steps entered ahead that did not come to their end."""
    tx.execute(sa.delete(quarantined).where(quarantined.c.delivery_id == delivery_id, quarantined.c.note == HALF))


def _same(tx: sa.Connection, delivery_id: str, step: str, blob_uri: str) -> dict[str, Any]:
    whose = tx.execute(sa.select(delivery.c.partner, delivery.c.flow).where(delivery.c.id == delivery_id)).one_or_none()
    same = {"delivery_id": delivery_id, "step": step, "blob_uri": blob_uri, "state": Fate.OPEN, "note": None, "at": clock.now()}
    return same | ({} if whose is None else dict(whose._mapping))


def _values(rows: pa.Table, start: int) -> list[dict[str, Any]]:
    found = rows.select(list(_FROM_ROWS)).slice(start, AT_ONCE).to_pylist()
    return [row | {"blob_row": number} for number, row in enumerate(found, start)]


def _insert(tx: sa.Connection, same: Mapping[str, Any], values: list[dict[str, Any]]) -> None:
    tx.execute(sa.insert(quarantined), [dict(same) | row for row in values])


def clear(ledger: Ledger, delivery_id: str, *, step: str | None = None, tx: sa.Connection | None = None) -> None:
    """Forget what earlier tries of `step` (of all steps) set aside: the delivery is being done again."""
    query = sa.delete(quarantined).where(quarantined.c.delivery_id == delivery_id)
    with ledger.writing(tx) as tx:
        tx.execute(query if step is None else query.where(quarantined.c.step == step))


def find(
    ledger: Ledger,
    *,
    delivery_id: str | None = None,
    reason: str | None = None,
    state: Fate | None = None,
    record: int | None = None,
    blob_uri: str | None = None,
    limit: int = 10_000,
    after: int = 0,
    tx: sa.Connection | None = None,
) -> list[Quarantined]:
    """Records that fit all that is asked, in the order in which they were entered; the next page is `after` the last one's id."""
    q = quarantined.c
    asked = {"delivery_id": delivery_id, "reason": reason, "state": state, "record": record, "blob_uri": blob_uri}
    query = sa.select(quarantined).where(q.id > after, *(q[name] == value for name, value in asked.items() if value is not None))
    with ledger.reading(tx) as tx:
        rows = tx.execute(query.order_by(q.id).limit(limit))
        return [from_row(row) for row in rows]


def get(ledger: Ledger, id: int, *, tx: sa.Connection | None = None) -> Quarantined:
    """The record `id`; UnknownDelivery when there is none."""
    with ledger.reading(tx) as tx:
        row = tx.execute(sa.select(quarantined).where(quarantined.c.id == id)).one_or_none()
    if row is None:
        raise UnknownDelivery(
            "there is no such record in the quarantine.", where=str(id), do="Its delivery may have been done again, or be long over."
        )
    return from_row(row)


def from_row(row: sa.Row[Any]) -> Quarantined:
    """The record of a row of the quarantined table."""
    return Quarantined(**{**row._mapping, "state": Fate(row.state)})


def counts(ledger: Ledger, delivery_id: str, *, tx: sa.Connection | None = None) -> dict[tuple[str, str | None], int]:
    """How many records of a delivery were set aside, whatever became of them since, by (reason, column); the most frequent first."""
    q = quarantined.c
    number = sa.func.count().label("number")
    query = sa.select(q.reason, q.column, number).where(q.delivery_id == delivery_id).group_by(q.reason, q.column)
    with ledger.reading(tx) as tx:
        return {(row.reason, row.column): row.number for row in tx.execute(query.order_by(number.desc(), q.reason, q.column))}


def blobs(ledger: Ledger, delivery_id: str, *, tx: sa.Connection | None = None) -> set[str]:
    """URIs of the sealed files in which a delivery's records lie: a few, also where the records are millions."""
    with ledger.reading(tx) as tx:
        return set(tx.execute(sa.select(quarantined.c.blob_uri).where(quarantined.c.delivery_id == delivery_id).distinct()).scalars())


def end(ledger: Ledger, delivery_id: str, state: Fate, *, note: str, tx: sa.Connection | None = None) -> int:
    """Say of all open records of a delivery what became of them. Returns how many these are."""
    q = quarantined.c
    with ledger.writing(tx) as tx:
        query = sa.update(quarantined).where(q.delivery_id == delivery_id, q.state == Fate.OPEN)
        return tx.execute(query.values(state=state, note=note)).rowcount


def set_state(ledger: Ledger, ids: Iterable[int], state: Fate, *, note: str | None = None, tx: sa.Connection | None = None) -> int:
    """Say what became of the records `ids`, with a note that holds no personal value. Returns how many there are."""
    wanted, changed = list(ids), 0
    with ledger.writing(tx) as tx:
        for start in range(0, len(wanted), 500):
            query = sa.update(quarantined).where(quarantined.c.id.in_(wanted[start : start + 500]))
            changed += tx.execute(query.values(state=state, note=note)).rowcount
    return changed
