"""What needs a person now: deliveries that have stopped or did not come, settings with errors, inboxes that cannot be looked into,
and what self-service told patrons that the library system does not agree with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from include.engine import clock
from include.engine.delivery import Delivery, State
from include.engine.dispatch.calendar import CODE as EXPECTED
from include.engine.engine import Engine
from include.engine.errors import MissingCredential
from include.engine.ledger import conflicts, deliveries, inbox, notices, pauses
from include.engine.ledger.alerts import Told
from include.engine.reasons import table, words

RECENT = timedelta(days=7)
"""An address that is new is not told of what stopped before."""
UNREACHABLE_AFTER = 3
"""Looks into an inbox that failed one after the other before anybody is told."""
MOST = 500


@dataclass(frozen=True)
class Standing:
    """One thing. `kind` names its sentence in words.yaml, which `values` fill; `page` is where on the board it is seen to."""

    kind: str
    subject: str
    partner: str
    since: datetime
    page: str
    values: dict[str, Any] = field(default_factory=dict)
    reason: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Told:
        """What it is remembered by."""
        return self.kind, f"{self.partner} {self.subject}"

    def why(self, language: str) -> str:
        """The reason's sentence, where it has one."""
        return words(self.reason, language, **self.facts) if self.reason in table() else ""


def standing(engine: Engine) -> list[Standing]:
    """Everything that stands, the oldest first. A delivery that a person has dismissed stands no longer."""
    now = clock.now()
    states = [State.BLOCKED, State.HELD, State.FAILED]
    stopped = [one for one in deliveries.find(engine.ledger, states=states, since=now - RECENT, limit=MOST) if one.dismissed_at is None]
    found = [_stopped(one) for one in stopped]
    for notice in notices.find(engine.ledger):
        silent = notice.line is None and "__" in notice.file
        page = f"deliveries/{quote(notice.file)}" if silent else f"partners/{quote(notice.partner)}"
        values = {"file": notice.file, "line": notice.line or "-", "message": notice.message}
        found.append(
            Standing("silent" if silent else "settings", f"{notice.file} {notice.message}"[:500], notice.partner, notice.at, page, values)
        )
    for look in pauses.others(inbox.looks(engine.ledger), pauses.find(engine.ledger)):
        if unreachable(look):
            values = {"inbox": look.inbox, "flow": look.flow, "note": look.note or "", "times": look.failures}
            subject = f"{look.partner}/{look.flow} {look.inbox}"
            found.append(
                Standing(
                    "connection" if not_set_up(look) else "inbox",
                    subject,
                    look.partner,
                    look.looked_at or look.tried_at,
                    f"partners/{quote(look.partner)}",
                    values,
                )
            )
    found += map(_conflict, conflicts.standing(engine.ledger, limit=MOST))
    return sorted(found, key=lambda one: one.since)


def unreachable(look: inbox.InboxLook) -> bool:
    """Whether it is told that an inbox cannot be read: after some looks in a row; at once where its connection is not set up."""
    return look.failures >= UNREACHABLE_AFTER or not_set_up(look)


def not_set_up(look: inbox.InboxLook) -> bool:
    """Whether the last look failed for want of a connection, which no wait mends."""
    return look.failures > 0 and look.code == MissingCredential.code


def _conflict(one: conflicts.Conflict) -> Standing:
    values = {"done": one.what, "item": one.item or "-", "terminal": one.terminal, "machine": one.machine, "system": one.system,
              "number": one.number, "explained": one.explained}  # fmt: skip
    return Standing("conflict", f"{one.source} {one.number}", one.partner, one.at, f"partners/{quote(one.partner)}#conflicts", values)


def _stopped(one: Delivery) -> Standing:
    kind = "missing" if one.reason == EXPECTED else str(one.state)
    name = (one.path or one.flow).rpartition("/")[2]
    values = {"name": name, "flow": one.flow, "id": one.id}
    return Standing(
        kind, one.id, one.partner, one.finished_at or one.seen_at, f"deliveries/{quote(one.id)}", values, one.reason, dict(one.facts)
    )
