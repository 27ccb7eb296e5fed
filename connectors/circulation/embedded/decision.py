"""What a rule decides: the outcome that is answered, and the changes that make it so. Deciding changes nothing by itself."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from connectors.circulation.domain import Asked, Outcome
from connectors.circulation.embedded.direct import Row
from connectors.circulation.embedded.rules import Limits
from connectors.circulation.embedded.store import Change, Store
from connectors.circulation.embedded.terms import Terms, age
from connectors.circulation.embedded.views import money, seconds


class Decision(Struct, frozen=True):
    """`conflict`: staff must look at it, for what a machine did while it was alone does not fit what stood here (a reason code)."""

    outcome: Outcome
    changes: list[Change] = []
    conflict: str = ""


class Desk(Struct, frozen=True):
    """What a rule looks at: the store, the library's terms, and the time it is."""

    store: Store
    terms: Terms
    now: datetime

    def time_of(self, asked: Asked) -> datetime:
        """When it happened: a machine that was alone knows better, else our own clock does."""
        return min(asked.at, self.now) if asked.no_block else self.now


def refused(reason: str) -> Decision:
    """Nothing is changed, and this is why."""
    return Decision(Outcome(False, reason))


def over(desk: Desk, hold: Row) -> bool:
    """Whether a hold has run out: it was not fetched in time, or is waited for no longer."""
    return hold["expires"] is not None and bool(hold["expires"] < seconds(desk.now))


def barred(desk: Desk, patron: Row) -> str:
    """Why a patron may not borrow at all, or ''."""
    if patron["block"]:
        return str(patron["block"].split()[0])
    if patron["pin"] is None and not desk.terms.card_alone:
        return "PIN_NOT_KEPT"
    if patron["valid_until"] and patron["valid_until"] < desk.terms.today(desk.now).isoformat():
        return "CARD_EXPIRED"
    limit = desk.terms.of(patron["category"]).fees
    fees = desk.store.fees_of(patron["patron"])
    if fees and limit is not None and money(sum(fee["outstanding"] for fee in fees)) > limit:
        return "OWES_TOO_MUCH"
    return ""


def too_young(desk: Desk, patron: Row, limits: Limits) -> bool:
    """Whether the patron's age is known and below what the material asks."""
    if not limits.age_from or not patron["birth_date"]:
        return False
    today = desk.terms.today(desk.now)
    return age(type(today).fromisoformat(patron["birth_date"]), today) < limits.age_from
