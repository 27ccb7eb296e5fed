"""Answers about loans: checkout (12), checkin (10), renewal (30, 66)."""

from __future__ import annotations

from fnmatch import fnmatchcase

from connectors.circulation.domain import Checkin, Checkout, Item, Outcome, Renew
from connectors.circulation.sip2.codec import Parsed, Value
from connectors.circulation.sip2.context import Answer, Context, kept_out

ALERT_HOLD_HERE, ALERT_HOLD_AWAY, ALERT_OTHER_BRANCH, ALERT_OTHER = "01", "02", "04", "99"
"""Kinds of alert (CV), as the field uses them: an item waited for here, waited for elsewhere, to be sent home, anything else."""


async def checkout(context: Context, asked: Parsed) -> Answer:
    """11: lend an item, or, with BI, take that back."""
    undo = asked.yes("BI")
    if undo and not context.policy.undo:
        return _lent(context, asked, "12", Outcome(False, "TERMINAL_CANNOT"))
    who = context.who(asked)
    request = Checkout(
        *context.said(asked),
        patron=who,
        item=asked.fields.get("AB", "").strip(),
        due=context.time(asked.fixed["no block due date"]),
        renewal_allowed=asked.yes("renewal policy"),
        fee_acknowledged=asked.yes("BO"),
        undo=undo,
    )
    if why := await kept_out(context, asked, who):
        return _lent(context, asked, "12", Outcome(False, why))
    return _lent(context, asked, "12", await context.backend.perform(request))


async def renew(context: Context, asked: Parsed) -> Answer:
    """29: lend an item longer."""
    who = context.who(asked)
    if why := await kept_out(context, asked, who):
        return _lent(context, asked, "30", Outcome(False, why))
    request = Renew(
        *context.said(asked),
        patron=who,
        item=asked.fields.get("AB", "").strip(),
        due=context.time(asked.fixed["no block due date"]),
        third_party=asked.yes("third party allowed"),
        fee_acknowledged=asked.yes("BO"),
    )
    if not request.item:  # a title alone (AJ) names no copy; without either it would be a renewal of all
        return _lent(context, asked, "30", Outcome(False, "ITEM_UNKNOWN"))
    return _lent(context, asked, "30", await context.backend.perform(request))


async def renew_all(context: Context, asked: Parsed) -> Answer:
    """65: lend everything longer, as far as each may be."""
    who = context.who(asked)
    if why := await kept_out(context, asked, who):
        outcome = Outcome(False, why)
    else:
        outcome = await context.backend.perform(Renew(*context.said(asked), patron=who))
    counts = {"renewed count": f"{min(len(outcome.done), 9999):04d}", "unrenewed count": f"{min(len(outcome.not_done), 9999):04d}"}
    fields: dict[str, Value] = {
        "AO": context.institution,
        "BM": outcome.done,
        "BN": outcome.not_done,
        "AF": context.screen(outcome),
    }
    return Answer(
        "66", {"ok": "1" if outcome.ok else "0", "transaction date": context.stamp(), **counts}, fields, "ok" if outcome.ok else "refused"
    )


async def checkin(context: Context, asked: Parsed) -> Answer:
    """09: take an item back, or, with BI, undo that."""
    undo, barcode = asked.yes("BI"), asked.fields.get("AB", "").strip()
    if undo and not context.policy.undo:
        return _returned(context, asked, Outcome(False, "TERMINAL_CANNOT"))
    if context.policy.held_is_not_returned and not asked.yes("no block") and not undo:
        item = await context.backend.item(barcode)
        if item is not None and item.holds:
            return _returned(context, asked, Outcome(False, "ITEM_HELD", item=item))
    request = Checkin(*context.said(asked), item=barcode, returned=context.time(asked.fixed["return date"]), undo=undo)
    outcome = await context.backend.perform(request)
    return _returned(context, asked, outcome)


def _lent(context: Context, asked: Parsed, code: str, outcome: Outcome) -> Answer:
    item = outcome.item
    magnetic = item is not None and item.magnetic
    fixed = {
        "ok": "1" if outcome.ok else "0",
        "renewal ok": "Y" if outcome.renewed else "N",
        "magnetic media": "Y" if magnetic else "N",
        "desensitize": "Y" if outcome.ok and not outcome.renewed and not magnetic and not asked.yes("BI") else "N",
        "transaction date": context.stamp(),
    }
    fields: dict[str, Value] = {
        "AO": context.institution,
        "AA": asked.fields.get("AA", ""),
        "AB": asked.fields.get("AB", ""),
        "AJ": (item.title or item.item) if item else "",
        "AH": context.due(outcome.due),
        "CK": "001" if item and item.material.casefold() in ("", "book") else None,
        "CH": (item.properties or None) if item else None,
        "AF": context.screen(outcome, patron=outcome.patron),
    }
    return Answer(code, fixed, fields, "ok" if outcome.ok else "refused")


def _returned(context: Context, asked: Parsed, outcome: Outcome) -> Answer:
    alerts, item = context.profile.alerts, outcome.item
    ok = outcome.ok and (outcome.reason != "NOT_LENT" or context.policy.returned_is_ok)
    kind = _alert(context, outcome)
    fields: dict[str, Value] = {
        "AO": context.institution,
        "AB": asked.fields.get("AB", ""),
        "AQ": item.owner if item else "",
        "AJ": (item.title or item.item) if item else None,
        "CL": _bin(context, outcome),
        "AF": context.screen(outcome),
        "CR": _collection(context, item),
        "CS": (item.call_number or None) if item else None,
        "CT": outcome.route or ((context.branch or None) if alerts.destination_always else None),
        "CV": kind or ("00" if ok and alerts.type_on_success else None),
    }
    if outcome.waiting is not None:
        fields["CY"] = outcome.waiting.patron
        fields["DA"] = context.output.hold_name.format(
            name=outcome.waiting.name, category=outcome.waiting.category, home_library=outcome.waiting.home_library
        )
        if context.output.hold_phone and outcome.waiting.phone:
            fields["BF"] = outcome.waiting.phone  # the protocol has no BF here: it comes last
    fixed = {
        "ok": "1" if ok else "0",
        "resensitize": "Y" if outcome.ok and not (item is not None and item.magnetic) else "N",
        "magnetic media": "Y" if item is not None and item.magnetic else "N",
        "alert": "Y" if not ok or (kind and alerts.alert_with_type) else "N",
        "transaction date": context.stamp(),
    }
    return Answer("10", fixed, fields, "ok" if ok else "refused")


def _alert(context: Context, outcome: Outcome) -> str:
    if outcome.waiting is not None:
        return ALERT_HOLD_HERE if outcome.route in ("", context.branch) else ALERT_HOLD_AWAY
    if outcome.reason == "OTHER_BRANCH":
        return ALERT_OTHER_BRANCH
    return "" if outcome.ok and outcome.reason in ("", "NOT_LENT") else ALERT_OTHER


def _bin(context: Context, outcome: Outcome) -> str | None:
    if outcome.item is None:
        return None
    for line in context.profile.sort_bins:
        fits = ((outcome.route, line.route), (outcome.item.material, line.material), (outcome.item.location, line.location))
        if all(fnmatchcase(value.casefold(), pattern.casefold()) for value, pattern in fits):
            return line.bin
    return None


def _collection(context: Context, item: Item | None) -> str | None:
    kind = context.output.collection
    return None if item is None or kind == "none" else getattr(item, kind) or None
