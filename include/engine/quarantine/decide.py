"""What a person decides about a record that was set aside: to see it, to leave it out for good, to take it in again. All of it is audited.

Each may be asked for twice (a double click, a form sent again) and happens once.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from include.engine.delivery import IN_FLIGHT, Delivery, State
from include.engine.engine import Engine
from include.engine.errors import WrongState
from include.engine.ledger import audit, deliveries, quarantined
from include.engine.ledger.quarantined import Fate, Quarantined
from include.engine.privacy.mask import noted
from include.engine.replay import replay


def note_of(text: str) -> str:
    """A person's note as the ledger may hold it: one line, without identity numbers. WrongState when nothing is left."""
    found = noted(text)
    if not found:
        raise WrongState("a reason is needed.", do="Say in a few words why.", code="NOTE_MISSING")
    return found


def reveal(engine: Engine, id: int, *, who: str, why: str) -> Quarantined:
    """Note that `who` looks at the record as it is, and why. Whoever shows it calls this first."""
    row = quarantined.get(engine.ledger, id)
    audit.record(engine.ledger, who, "reveal", row.delivery_id, {"quarantined": row.id, "why": note_of(why)})
    return row


def discard(engine: Engine, id: int, *, who: str, note: str) -> Quarantined:
    """Leave the record out for good. Its bytes stay as long as its delivery's, so that the partner can be answered.

    WrongState RECORD_UNDER_WAY while it is being replayed or was mended: what comes of that is not known yet.
    """
    said = note_of(note)
    with engine.ledger.begin() as tx:
        engine.ledger.lock(tx, f"quarantined {id}")  # as mend does
        engine.ledger.lock(tx, f"replay {quarantined.get(engine.ledger, id, tx=tx).delivery_id}")  # as replay does
        row = quarantined.get(engine.ledger, id, tx=tx)
        if row.state == Fate.DISCARDED:
            return row
        undecided(row)
        on_its_way = deliveries.find(engine.ledger, origin=row.delivery_id, states={State.SEEN, *IN_FLIGHT}, tx=tx)
        if made := next((one for one in on_its_way if concerns(one, row)), None):
            raise WrongState(
                f"this record is on its way in {made.id}.", where=row.delivery_id, do="Wait until that has ended.", code="RECORD_UNDER_WAY"
            )
        quarantined.set_state(engine.ledger, [row.id], Fate.DISCARDED, note=f"{who}: {said}", tx=tx)
        audit.record(engine.ledger, who, "discard", row.delivery_id, {"quarantined": row.id, "note": said}, tx=tx)
        return quarantined.get(engine.ledger, row.id, tx=tx)


def replay_one(engine: Engine, id: int, *, who: str) -> Delivery:
    """The record again, from its delivery's kept bytes, with today's settings and contract."""
    row = quarantined.get(engine.ledger, id)
    undecided(row)
    return replay(engine, row.delivery_id, record=row.record, member=row.member, who=who, still=_still(engine, id))


def replay_reason(engine: Engine, id: int, *, who: str) -> Delivery:
    """Every record of the same delivery that was set aside for the same reason."""
    row = quarantined.get(engine.ledger, id)
    undecided(row)
    return replay(engine, row.delivery_id, reason=row.reason, who=who, still=_still(engine, id))


def _still(engine: Engine, id: int) -> Callable[[sa.Connection], None]:
    """Looks once more where nobody can decide meanwhile: somebody may have, or it may have been taken in, since the page was made."""
    return lambda tx: undecided(quarantined.get(engine.ledger, id, tx=tx))


def concerns(made: Delivery, row: Quarantined) -> bool:
    """Whether a delivery that does `row`'s delivery again, whole or in part, takes the record itself up again."""
    if "mended" in made.facts:
        return bool(made.facts["mended"]["quarantined"] == row.id)
    asked = made.origin_filter or {}
    if "record" in asked and (asked["record"], asked.get("member", "")) != (row.record, row.member):
        return False
    return bool(asked.get("reason", row.reason) == row.reason)


def undecided(row: Quarantined) -> None:
    """WrongState RECORD_DECIDED when somebody has decided about the record."""
    if row.state != Fate.OPEN:
        raise WrongState(
            f"this record is {row.state} already.", where=row.delivery_id, do="Look at what became of it.", code="RECORD_DECIDED"
        )
