"""Requests and outcomes as JSON and back, as the journal has them. A PIN is never among it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Any

from msgspec.structs import astuple

from connectors.circulation.admission import Admission
from connectors.circulation.domain import (
    Block,
    Checkin,
    Checkout,
    Credentials,
    Item,
    Note,
    Outcome,
    Patron,
    Pay,
    Renew,
    Request,
    Reserve,
)

KINDS: dict[type, str] = {
    Checkout: "checkout", Checkin: "checkin", Renew: "renew", Reserve: "hold", Pay: "fee", Block: "block", Note: "note",
}  # fmt: skip
_TYPES: dict[str, Any] = {kind: request for request, kind in KINDS.items()}
_MOMENTS = {"at", "due", "returned", "expires"}

_Shown = tuple[tuple[str, Callable[[Any], str] | None], ...]
"""The names of a request's fields, with how they are written down; '' for what never is."""
_SHOWN: dict[type, _Shown] = {}


def _shown(kind: Any) -> _Shown:
    found = _SHOWN.get(kind)
    if found is None:
        personal = getattr(kind, "PERSONAL", ())
        found = _SHOWN[kind] = tuple(("" if name in personal else name, _WRITTEN.get(name)) for name in kind.__struct_fields__)
    return found


def kind_of(request: Request | Admission) -> str:
    """What a request is called in the journal."""
    return KINDS.get(type(request)) or type(request).__name__.casefold()


def plain(request: Request | Admission) -> dict[str, Any]:
    """A request without its PIN, a new patron without name and address; what has its default is left out."""
    found: dict[str, Any] = {}
    values = astuple(request)
    for place, (name, write) in enumerate(_shown(type(request))):
        value = values[place]
        if write is not None and value is not None:
            value = write(value)
        if value and name:
            found[name] = value
    return found


iso: Callable[[datetime], str] = lru_cache(4096)(datetime.isoformat)
"""A moment as text, remembered: a request says the same one several times, and many end on the same day."""
_WRITTEN: dict[str, Callable[[Any], str]] = dict.fromkeys(_MOMENTS, iso) | {"patron": attrgetter("card"), "amount": str}
"""How fields are written whose values JSON has no form of. What comes out empty is left out."""


def request_of(kind: str, found: Mapping[str, Any]) -> Request:
    """The request of `plain`. KeyError for a kind that there is not."""
    values: dict[str, Any] = dict(found)
    for name, value in found.items():
        if name in _MOMENTS:
            values[name] = datetime.fromisoformat(value)
        elif name == "patron":
            values[name] = Credentials(value)
        elif name == "amount":
            values[name] = Decimal(value)
    request: Request = _TYPES[kind](**values)
    return request


def said(outcome: Outcome) -> dict[str, Any]:
    """What was answered, in as few words as it can be said again with; names and addresses are not among them."""
    found: dict[str, Any] = {
        "ok": outcome.ok,
        "reason": outcome.reason,
        "item": outcome.item.item if outcome.item else "",
        "title": outcome.item.title if outcome.item else "",
        "material": outcome.item.material if outcome.item else "",
        "owner": outcome.item.owner if outcome.item else "",
        "location": outcome.item.location if outcome.item else "",
        "patron": outcome.patron.patron if outcome.patron else "",
        "card": outcome.patron.card if outcome.patron else "",
        "due": iso(outcome.due) if outcome.due else "",
        "renewed": outcome.renewed,
        "fee": str(outcome.fee) if outcome.fee is not None else "",
        "route": outcome.route,
        "done": list(outcome.done),
        "not_done": list(outcome.not_done),
        "transaction": outcome.transaction,
    }
    return {name: value for name, value in found.items() if value not in ("", [], False)}


def outcome_of(found: Mapping[str, Any], *, again: bool = False) -> Outcome:
    """The outcome that `said` wrote down, as far as it did."""
    item, card = found.get("item", ""), found.get("card", "")
    return Outcome(
        ok=bool(found.get("ok")),
        reason=found.get("reason", ""),
        item=Item(item, found.get("title", ""), "unknown", found.get("material", ""), found.get("owner", ""), found.get("location", ""))
        if item
        else None,
        patron=nameless(card, found.get("patron", "")) if card else None,
        due=datetime.fromisoformat(found["due"]) if found.get("due") else None,
        renewed=bool(found.get("renewed")),
        fee=Decimal(found["fee"]) if found.get("fee") else None,
        route=found.get("route", ""),
        done=tuple(found.get("done", ())),
        not_done=tuple(found.get("not_done", ())),
        transaction=found.get("transaction", ""),
        again=again,
    )


def nameless(card: str, patron: str = "", *, currency: str = "", pin_right: bool | None = None) -> Patron:
    """A patron of whom the card alone is known."""
    return Patron(
        patron=patron, card=card, name="", category="", language="", home_library="", currency=currency, valid_until=None, birth_date=None,
        municipality="", pin_right=pin_right,
    )  # fmt: skip
