"""Who may work on a delivery, and its way from state to state: claims, fencing tokens, transitions.

A claim is for dispatch: it lets one delivery of a (partner, table) at a time into flight, in order of arrival. A token is for a try
of a task: each `take` makes all earlier tokens stale, and what a stale try still wants to write is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from include.engine import clock
from include.engine.delivery import FINISHED, IN_FLIGHT, TRANSITIONS, Counts, Delivery, State, Token
from include.engine.errors import StaleToken, Unreachable, WrongState
from include.engine.ledger.database import Ledger
from include.engine.ledger.deliveries import COUNT_COLUMNS, event, from_row, get, row_of
from include.engine.ledger.quarantined import take_back
from include.engine.ledger.queue import in_the_way
from include.engine.ledger.schema import delivery, delivery_event

_FACT_COLUMNS = {"content_hash", "size", "mtime_ns", "staged_uri", "gated_uri", "contract", "reason", "message"}
_STOPPED = frozenset({State.BLOCKED, State.HELD, State.FAILED})
_MUST_BALANCE = frozenset({State.PUBLISHED, State.ACKNOWLEDGED, State.BLOCKED, State.HELD, State.DUPLICATE})


def claim(ledger: Ledger, id: str, *, tx: sa.Connection | None = None) -> Delivery | None:
    """Bring a delivery from seen to claimed. None when it is not in `seen`, or when another of its (partner, table) goes first
    (`queue.in_the_way` says which). Of any number of callers at once, one gets it."""
    with ledger.writing(tx) as tx:
        row = row_of(tx, id)
        ledger.lock(tx, f"lane {row.partner}/{row.lane}")
        row = row_of(tx, id, lock=True)
        if row.state != State.SEEN or in_the_way(tx, row) is not None:
            return None
        at = clock.now()
        return _change(tx, row, "claimed", {"state": State.CLAIMED, "claimed_at": at}, at=at)


def claim_all(ledger: Ledger, ids: Iterable[str]) -> list[Delivery]:
    """`claim` for many, a hundred to a transaction; returns those that were claimed. What a crash undoes is claimed by the next round."""
    wanted, got = list(ids), []
    for start in range(0, len(wanted), 100):
        with ledger.begin() as tx:
            got += [claimed for id in wanted[start : start + 100] if (claimed := claim(ledger, id, tx=tx)) is not None]
    return got


def reopen(ledger: Ledger, id: str, *, tx: sa.Connection | None = None) -> Delivery | None:
    """Bring a blocked, held or failed delivery back to claimed, for a task that was cleared to be done again with today's settings.

    None while another of its (partner, table) is in flight. WrongState when it was published (that asks for a replay), and when it is
    no append and a later delivery of its table has been published, which it would overwrite with older data.
    """
    with ledger.writing(tx) as tx:
        row = row_of(tx, id)
        ledger.lock(tx, f"lane {row.partner}/{row.lane}")
        row = row_of(tx, id, lock=True)
        if State.CLAIMED not in TRANSITIONS[State(row.state)] or row.state == State.SEEN:
            raise WrongState(f"a delivery that is {row.state} cannot be opened again.", where=id, do="Replay it instead.")
        c = delivery.c
        lane = sa.select(c.id).where(c.partner == row.partner, c.lane == row.lane, c.id != row.id)
        if tx.execute(lane.where(c.state.in_(IN_FLIGHT)).limit(1)).first():
            return None
        later = lane.where(c.state == State.ACKNOWLEDGED, c.status == row.status, c.arrival > row.arrival).limit(1)
        if row.mode != "append" and (newer := tx.execute(later).scalar()):
            what = f"{newer} came later and is published: doing this one again would bring older data back."
            raise WrongState(what, where=id, do="Replay it if that is meant.")
        at = clock.now()
        values = {"state": State.CLAIMED, "claimed_at": at, "finished_at": None, "reason": None, "message": None, "gated_uri": None}
        # Whoever said that it is not coming was overruled: if it stops, it stands anew.
        values |= {"dismissed_at": None, "dismissed_by": None}
        return _change(tx, row, "reopened", values, at=at)


def begin(ledger: Ledger, id: str) -> Delivery:
    """The delivery for the first step of its run: one that stopped is opened again (its task was cleared), one that nobody claimed is
    claimed now (its run was started by hand). Unreachable while another of its (partner, table) goes first."""
    found = get(ledger, id)
    if found.state in {State.BLOCKED, State.HELD, State.FAILED}:
        opened = reopen(ledger, id)
    elif found.state == State.SEEN:
        opened = claim(ledger, id)
    else:
        return found
    if opened is None:
        raise Unreachable("another delivery of this table goes first.", where=id, do="It is tried again when that one is done.")
    return opened


def dismiss(ledger: Ledger, id: str, by: str, *, tx: sa.Connection | None = None) -> Delivery:
    """A person says that a blocked, held or failed delivery is not coming: those that wait behind it go on. WrongState for others."""
    with ledger.writing(tx) as tx:
        row = row_of(tx, id, lock=True)
        if row.state not in {State.BLOCKED, State.HELD, State.FAILED}:
            raise WrongState(f"a delivery that is {row.state} cannot be dismissed.", where=id, do="Only blocked, held and failed ones can.")
        at = clock.now()
        return _change(tx, row, "dismissed", {"dismissed_at": at, "dismissed_by": by}, at=at, facts={"by": by})


def take(ledger: Ledger, id: str, step: str, *, tx: sa.Connection | None = None) -> Token:
    """Begin a try of `step`: its token makes those of all earlier tries stale. WrongState for a delivery that was never claimed."""
    with ledger.writing(tx) as tx:
        row = row_of(tx, id, lock=True)
        if row.state == State.SEEN:
            raise WrongState("nobody has claimed this delivery yet.", where=id, do="Let dispatch claim it, or claim it first.")
        token = Token(id, row.token + 1, step)
        _change(tx, row, "taken", {"token": token.value, "tries": row.tries + 1}, step=step)
        return token


def check(ledger: Ledger, token: Token, *, tx: sa.Connection | None = None) -> None:
    """Raise StaleToken when a newer try has taken the delivery over. In a write `tx` the answer holds until its end."""
    with ledger.reading(tx) as reading:
        _fenced(reading, token, lock=tx is not None)


def advance(ledger: Ledger, token: Token, to: State, *, tx: sa.Connection | None = None, **facts: Any) -> Delivery:
    """Bring the token's delivery to the state `to`, and write an event.

    `facts` that are columns (content_hash, size, mtime_ns, staged_uri, gated_uri, contract, counts, reason, message) go there, all
    others into the delivery's `facts`, where they must be plain JSON. Everything in one transaction: give `tx` to put quarantined
    rows and gate results into it too.

    Raises StaleToken (nothing is written), WrongState for a transition that the life of a delivery does not have, for a live
    delivery that would be acknowledged without being published, for one in status `test` that would be published, and for counts
    that do not balance where the delivery ends.
    """
    with ledger.writing(tx) as tx:
        row = _fenced(tx, token, lock=True)
        _may_follow(row, to)
        values = _fact_values(row, facts) | {"state": to}
        if to in _MUST_BALANCE:
            _must_balance(row, values, to)
        if to in _STOPPED:
            take_back(tx, row.id)
        at = clock.now()
        if to == State.PUBLISHED:
            values["published_at"] = at
        if to in FINISHED:
            values["finished_at"] = at
        return _change(tx, row, "advanced", values, at=at, step=token.step, facts=_plain(facts))


def note(ledger: Ledger, token: Token, *, tx: sa.Connection | None = None, **facts: Any) -> Delivery:
    """Add facts to the token's delivery without changing its state, such as what a receipt said. Raises StaleToken."""
    with ledger.writing(tx) as tx:
        row = _fenced(tx, token, lock=True)
        return _change(tx, row, "noted", _fact_values(row, facts), step=token.step, facts=_plain(facts))


def untriggered(ledger: Ledger, older_than: datetime, *, tx: sa.Connection | None = None) -> list[Delivery]:
    """Deliveries claimed before `older_than` of which no task has begun: dispatch died in between, or their run waits. Oldest first."""
    c = delivery.c
    query = sa.select(delivery).where(c.state == State.CLAIMED, c.claimed_at < older_than)
    query = query.where(c.tries == 0).order_by(c.claimed_at, c.arrival)
    with ledger.reading(tx) as tx:
        return [from_row(row) for row in tx.execute(query)]


def stuck(ledger: Ledger, older_than: datetime, *, tx: sa.Connection | None = None) -> list[Delivery]:
    """Deliveries in flight to which nothing has happened since `older_than`. Longest silent first."""
    c = delivery.c
    query = sa.select(delivery).where(c.state.in_(IN_FLIGHT), c.touched_at < older_than).order_by(c.touched_at, c.arrival)
    with ledger.reading(tx) as tx:
        return [from_row(row) for row in tx.execute(query)]


def _fenced(tx: sa.Connection, token: Token, *, lock: bool) -> sa.Row[Any]:
    row = row_of(tx, token.delivery_id, lock=lock)
    if row.token != token.value:
        what = f"try {token.value} ({token.step}) was overtaken by try {row.token}."
        raise StaleToken(what, where=token.delivery_id, do="Stop; the newer try does the work.")
    return row


def _may_follow(row: sa.Row[Any], to: State) -> None:
    state = State(row.state)
    if to not in TRANSITIONS[state] or to == State.CLAIMED:
        allowed = ", ".join(sorted(TRANSITIONS[state] - {State.CLAIMED})) or "nothing"
        raise WrongState(f"a delivery that is {state} cannot become {to}: only {allowed}.", where=row.id)
    if row.status != "test" and (state, to) == (State.GATED, State.ACKNOWLEDGED):
        raise WrongState("a live delivery cannot be acknowledged before it is published.", where=row.id, do="Publish it first.")
    if row.status == "test" and to == State.PUBLISHED:
        raise WrongState("this delivery's partner is in status test: nothing of it is published.", where=row.id, do="Acknowledge it.")


def _must_balance(row: sa.Row[Any], values: dict[str, Any], to: State) -> None:
    counts = Counts(**{name: values.get(column, row._mapping[column]) for name, column in COUNT_COLUMNS.items()})
    if not counts.balanced():
        parts = f"{counts.published} published + {counts.quarantined} quarantined + {counts.filtered} filtered + {counts.held} held"
        raise WrongState(f"{counts.in_} records came in, but {parts} are accounted for: it cannot become {to}.", where=row.id)


def _fact_values(row: sa.Row[Any], facts: dict[str, Any]) -> dict[str, Any]:
    values = {name: value for name, value in facts.items() if name in _FACT_COLUMNS}
    if "counts" in facts:
        values |= {column: getattr(facts["counts"], name) for name, column in COUNT_COLUMNS.items()}
    others = {name: value for name, value in facts.items() if name not in _FACT_COLUMNS and name != "counts"}
    return values | ({"facts": {**row.facts, **others}} if others else {})


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    counts = facts.get("counts")
    if counts is None:
        return facts
    return facts | {"counts": {name: value for name in COUNT_COLUMNS if (value := getattr(counts, name))}}


def _change(tx: sa.Connection, row: sa.Row[Any], kind: str, values: dict[str, Any], *, at: datetime | None = None, **told: Any) -> Delivery:
    at = at or clock.now()
    tx.execute(sa.update(delivery).where(delivery.c.id == row.id).values(**values, touched_at=at))
    state, token = State(values.get("state", row.state)), values.get("token", row.token)
    tx.execute(sa.insert(delivery_event).values(event(row.id, kind, state, at=at, before=row.state, token=token, **told)))
    return from_row(row_of(tx, row.id))
