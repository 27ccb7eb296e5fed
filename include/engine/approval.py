"""What a person sees who is to say yes or no to a delivery, and when they are asked. docs/flows/replay.md

It goes into Airflow's form and database, so it says how many, which fields and why, and never whose: docs/decisions/crm-what-a-person-approves.md
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from include.engine import clock
from include.engine.delivery import Delivery, State
from include.engine.engine import Engine
from include.engine.errors import WrongState
from include.engine.ledger import audit, deliveries
from include.engine.ledger.schema import audit as audit_table
from include.engine.ledger.schema import delivery as delivery_table
from include.engine.reasons import advice, table, words

ASKED = "ask"
"""In the audit: a person was asked about the delivery, in this `run`."""
CLOSED = "close_question"
"""In the audit: that question stands no more."""
_LONG = timedelta(days=90)
_STOPPED = frozenset({State.HELD, State.BLOCKED, State.FAILED})
_NOTHING = "*nothing*"


@dataclass(frozen=True)
class Question:
    """What the form shows: a line, and Markdown."""

    subject: str
    body: str


def ask(engine: Engine, delivery_id: str, *, who: str, run: str = "") -> Question | None:
    """The question about a delivery that has stopped; that it was asked, in Airflow's `run`, is noted. None where this run has asked it before,
    and it was answered in another way since. WrongState when there is nothing to answer."""
    delivery = deliveries.get(engine.ledger, delivery_id)
    if _answered(engine, delivery) and any(one.detail.get("run") == run for one in _asked(engine, delivery.id)):
        return None
    if delivery.state not in _STOPPED or delivery.dismissed_at is not None:
        state = "dismissed" if delivery.dismissed_at is not None else delivery.state
        raise WrongState(f"this delivery is {state}: there is nothing to answer.", where=delivery.id)
    audit.record(engine.ledger, who, ASKED, delivery.id, {"run": run})
    return question(engine, delivery)


def close(engine: Engine, delivery_id: str, *, who: str) -> None:
    """Note that the question about a delivery stands no more."""
    audit.record(engine.ledger, who, CLOSED, delivery_id)


def closed(engine: Engine, *, who: str, most: int = 100) -> list[tuple[str, str]]:
    """Close the questions that were answered in another way than there (on the board, by hand), and still wait for somebody: each once, the
    oldest first. Returns the deliveries, and Airflow's runs of `approve`, to be begun again so that they end."""
    found = _left_over(engine)[:most]
    for id, _ in found:
        close(engine, id, who=who)
    return found


def _left_over(engine: Engine) -> list[tuple[str, str]]:
    a, later = audit_table.c, audit_table.alias().c
    over = sa.exists().where(later.subject == a.subject, later.id > a.id, later.action.in_([ASKED, CLOSED]))
    query = sa.select(a.subject, a.detail).where(a.action == ASKED, a.at >= clock.now() - _LONG, ~over).order_by(a.id)
    with engine.ledger.read() as tx:
        found = [(row.subject, row.detail["run"]) for row in tx.execute(query) if row.detail.get("run")]
    return [(id, run) for id, run in found if _answered(engine, deliveries.get(engine.ledger, id))]


def _asked(engine: Engine, id: str) -> list[audit.AuditEntry]:
    return audit.find(engine.ledger, subject=id, action=ASKED)


def _answered(engine: Engine, delivery: Delivery) -> bool:
    return delivery.state not in _STOPPED or delivery.dismissed_at is not None or approved_as(engine, delivery) is not None


def unasked(engine: Engine) -> list[Delivery]:
    """Held deliveries of which nobody has been asked since they were held, and that nobody has answered."""
    c, a = delivery_table.c, audit_table.c
    asked = sa.exists().where(a.subject == c.id, a.action == ASKED, a.at >= c.finished_at)
    query = sa.select(delivery_table).where(c.state == State.HELD, c.dismissed_at.is_(None), sa.not_(asked)).order_by(c.arrival)
    with engine.ledger.read() as tx:  # one question each minute, however many were ever held
        held = [deliveries.from_row(row) for row in tx.execute(query)]
    return [one for one in held if approved_as(engine, one) is None]


def approved_as(engine: Engine, held: Delivery) -> Delivery | None:
    """The delivery that a yes to this one has made, unless that stopped before it did anything."""
    made = deliveries.find(engine.ledger, origin=held.id)
    return next((one for one in made if one.facts.get("approved") and one.state not in {State.BLOCKED, State.FAILED}), None)


def question(engine: Engine, delivery: Delivery) -> Question:
    """The line and the page: what holds it, its counts, and the diff where there is one."""
    code = delivery.reason or "INTERNAL"
    known = code in table()
    told = delivery.facts.get("told")
    why = words(code, "en", **told) if known and told else (delivery.message or code)
    counts = {name.strip("_"): count for name, count in vars(delivery.counts).items() if count}
    lines = [why, "", f"*{advice(code, 'en')}*" if known else "", ""]
    if counts:
        lines += ["Records: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()), ""]
    lines += list(_diff(delivery.facts.get("shown") or {}))
    lines += ["**yes**: it is done, with today's settings. **no**: it is left out, and later ones go on.", "", f"`{delivery.id}` `{code}`"]
    return Question(f"{engine.partner_name(delivery.partner)}: {delivery.flow} is {delivery.state}", "\n".join(lines))


def _diff(shown: Mapping[str, Any]) -> Iterator[str]:
    for kind, counts in sorted(shown.get("counts", {}).items()):
        yield f"#### {kind}: " + ", ".join(f"{counts[what]:,} {word}" for what, word in _WHAT.items() if counts.get(what))
        yield ""
        yield from _removed(shown.get("removed", {}).get(kind, {}))
        yield from _fields(shown.get("fields", {}).get(kind, []))
        if count := shown.get("mapping", {}).get(kind):
            yield f"- {count:,} records are as they were: it is the mapping in the partner's YAML that is another."
        if count := shown.get("untold", {}).get(kind):
            yield f"- of {count:,} changed records the earlier state can no longer be read: their fields cannot be told."
        yield ""


_WHAT = {"new": "new", "change": "changed", "remove": "removed"}


def _removed(reasons: Mapping[str, int]) -> Iterator[str]:
    for code, count in sorted(reasons.items(), key=lambda pair: -pair[1]):
        yield f"- {count:,} removed: {words(code, 'en')} `{code}`"
    if reasons:
        yield ""


def _fields(fields: list[dict[str, Any]]) -> Iterator[str]:
    if not fields:
        return
    yield "| field | from our | records | most often |"
    yield "|---|---|---:|---|"
    for one in fields:
        pairs = "; ".join(f"{_shown(old)} → {_shown(new)} ({count:,})" for old, new, count in one["pairs"]) or "*too few of each to show*"
        yield f"| {one['field']} | {one['column']} | {one['records']:,} | {pairs} |"
    yield ""


def _shown(value: str) -> str:
    """A value as code, so that nothing in it is markup."""
    return f"`{value.replace('`', ' ').replace('|', '/').replace(chr(10), ' ')}`" if value else _NOTHING
