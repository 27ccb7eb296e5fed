"""Answers about patrons: status (24), information (64), end of session (36), enable and block (26, 24)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from connectors.circulation.domain import Block, Patron
from connectors.circulation.sip2.codec import Parsed, Value
from connectors.circulation.sip2.context import Answer, Context
from connectors.circulation.sip2.dates import NUMBERS

_NOBODY = "YYYY          "
"""Patron status of a card that is not known, or whose PIN is wrong: nothing is allowed. It is not said to be lost."""


async def status(context: Context, asked: Parsed) -> Answer:
    """23: may this patron borrow?"""
    patron = await context.backend.patron(context.who(asked))
    return _status(context, asked, "24", patron)


async def information(context: Context, asked: Parsed) -> Answer:
    """63: who is this patron, and what do they have? The summary asks for one list, BP and BQ for a part of it."""
    patron = await context.backend.patron(context.who(asked))
    answer = _status(context, asked, "64", patron)
    if patron is None:
        return answer
    now = context.now()
    overdue = [loan for loan in patron.loans if loan.overdue(now)]
    ready = [hold for hold in patron.holds if hold.ready]
    waiting = [hold for hold in patron.holds if not hold.ready]
    counts = {"hold items": len(ready), "overdue items": len(overdue), "charged items": len(patron.loans), "fine items": len(patron.fees),
              "recall items": 0, "unavailable holds": len(waiting)}  # fmt: skip
    answer.fixed.update({f"{name} count": f"{min(count, 9999):04d}" for name, count in counts.items()})
    lists: dict[str, Callable[[], list[str]]] = {
        "AS": lambda: [hold.item or hold.title for hold in ready],
        "AT": lambda: [loan.item for loan in overdue],
        "AU": lambda: [loan.item for loan in patron.loans],
        "AV": lambda: [
            context.output.fee_line.format(title=fee.title, amount=fee.outstanding, currency=patron.currency, kind=fee.kind, fee=fee.fee)
            for fee in patron.fees
        ],
        "BU": list,
        "CD": lambda: [hold.title for hold in waiting],
    }
    wanted = asked.fixed["summary"]
    code = next((code for place, code in enumerate(lists) if wanted[place : place + 1] in "Yy" and wanted[place : place + 1]), "")
    if code:
        answer.fields[code] = _page(lists[code](), asked.fields.get("BP", ""), asked.fields.get("BQ", ""))
    answer.fields.update(
        {
            "BZ": _limit(patron.holds_limit),
            "CB": _limit(patron.loans_limit),
            "CC": None if patron.fees_limit is None else str(patron.fees_limit),
            "BD": patron.address or None,
            "BE": patron.email or None,
            "BF": patron.phone or None,
        }
    )
    return answer


async def end_session(context: Context, asked: Parsed) -> Answer:
    """35: the patron is done."""
    fields = {"AO": context.institution, "AA": asked.fields.get("AA", "")}
    return Answer("36", {"end session": "Y", "transaction date": context.stamp()}, dict(fields))


async def block(context: Context, asked: Parsed) -> Answer:
    """01: block a card, which the machine may have kept. The answer is a patron status."""
    who = context.who(asked)
    await context.backend.perform(
        Block(
            *context.said(asked),
            patron=who,
            card_retained=asked.yes("card retained"),
            message=asked.fields.get("AL", ""),
        )
    )
    return _status(context, asked, "24", await context.backend.patron(who))


async def enable(context: Context, asked: Parsed) -> Answer:
    """25: lift the block that a machine has set."""
    who = context.who(asked)
    outcome = await context.backend.perform(Block(*context.said(asked), patron=who, blocked=False))
    patron = await context.backend.patron(who)
    answer = _status(context, asked, "26", patron)
    if not outcome.ok:
        answer.fields["AF"] = context.screen(outcome, asked, patron)
    return answer


def _status(context: Context, asked: Parsed, code: str, patron: Patron | None) -> Answer:
    tongue = context.tongue(asked, patron)
    fixed = {"patron status": _NOBODY, "language": NUMBERS[tongue], "transaction date": context.stamp()}
    fields: dict[str, Value] = {"AO": context.institution, "AA": asked.fields.get("AA", ""), "AE": ""}
    if patron is None:
        fields |= {"BL": "N", "CQ": "N" if asked.fields.get("AD") else None, "AF": [context.say("CARD_UNKNOWN", tongue)]}
        return Answer(code, fixed, fields, "refused")
    if not _let_in(context, patron, given=bool(asked.fields.get("AD"))):  # a name and what somebody owes are not for whoever found a card
        fields |= {"BL": "Y", "CQ": "N", "AF": [context.say("PIN_WRONG", tongue)]}
        return Answer(code, fixed | {"patron status": _NOBODY}, fields, "refused")
    now = context.now()
    why = _barred(context, patron, now)
    fixed["patron status"] = flags(context, patron, why, now)
    fields |= {
        "AE": context.output.name.format(name=patron.name, category=patron.category, home_library=patron.home_library),
        "BL": "Y",
    }
    fields["CQ"] = "Y" if asked.fields.get("AD") else None
    if patron.owes and code != "26":
        fields |= {"BH": patron.currency, "BV": str(patron.owes)}
    messages = [context.say(why, tongue, amount=f"{patron.owes} {patron.currency}")] if why else []
    if ready := sum(1 for hold in patron.holds if hold.ready):
        messages.append(context.say("HOLDS_READY", tongue, count=ready))
    if context.policy.home_library_in_message and patron.home_library:
        messages.append(patron.home_library)
    fields["AF"] = messages
    if code != "26":
        fields["PC"] = patron.category or None
        fields["PA"] = f"{patron.valid_until:%Y%m%d}    235900" if patron.valid_until else None
        if context.output.birth_date and patron.birth_date:
            fields["PB"] = f"{patron.birth_date:%Y%m%d}"
    for name, template in context.output.custom.items():
        fields[name] = template.format(name=patron.name, category=patron.category, home_library=patron.home_library)
    return Answer(code, fixed, fields, "refused" if why else "ok")


def _let_in(context: Context, patron: Patron, *, given: bool) -> bool:
    """Whether the card and what was typed in (`given`) are enough to be told more."""
    policy = context.policy
    if patron.pin_right is not None:
        return patron.pin_right
    return policy.card_alone if given else policy.pin != "always"


def _barred(context: Context, patron: Patron, now: datetime) -> str:
    """Why this patron may not borrow here."""
    if patron.blocks:
        return patron.blocks[0]
    if patron.valid_until and patron.valid_until < now.astimezone(context.zone).date():
        return "CARD_EXPIRED"
    if patron.fees_limit is not None and patron.owes > patron.fees_limit:
        return "OWES_TOO_MUCH"
    if context.policy.overdue_blocks and any(loan.overdue(now) for loan in patron.loans):
        return "OVERDUE"
    return ""


def flags(context: Context, patron: Patron, why: str, now: datetime) -> str:
    """The fourteen characters of a patron's status (SIP2 2.00, "patron status")."""
    found = ["Y" if why else " "] * 4 + [" "] * 10
    found[4] = "Y" if "CARD_LOST" in patron.blocks else " "
    found[5] = "Y" if patron.loans_limit is not None and len(patron.loans) >= patron.loans_limit else " "
    found[6] = "Y" if context.policy.overdue_blocks and any(loan.overdue(now) for loan in patron.loans) else " "
    over = patron.fees_limit is not None and patron.owes > max(patron.fees_limit, Decimal(0))
    found[10] = found[11] = "Y" if over else " "
    return "".join(found)


def _limit(count: int | None) -> str | None:
    return None if count is None else f"{min(count, 9999):04d}"


def _page(values: list[str], first: str, last: str) -> list[str]:
    """The part of a list from `first` to `last`, counted from one; what is no number asks for nothing."""
    start, stop = _number(first) or 1, _number(last) or len(values)
    return values[start - 1 : stop]


def _number(text: str) -> int:
    """0 for what is none, or longer than any list."""
    return int(text) if text.isdecimal() and len(text) < 10 else 0
