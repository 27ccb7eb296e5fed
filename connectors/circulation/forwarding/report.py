"""What staff must look at: what the machine said and what the library system says, side by side."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from connectors.circulation.admission import Admission
from connectors.circulation.domain import Block, Checkin, Outcome, Pay, Request
from connectors.circulation.forwarding.state import Conflict, Json, Waiting
from connectors.circulation.plain import said
from connectors.circulation.words import Language, words

DUE = "DUE_DIFFERS"
FAILS = "ILS_FAILS"
AFTER_ALL = "DONE_AFTER_ALL"
KEPT = "CARD_BLOCKED_BY_TERMINAL"
QUIET = {"", "NOT_LENT", "AWAY_ACCEPTED"}
"""Reasons beside an ok that staff need not hear of."""
COLUMNS = ("number", "at", "terminal", "branch", "what", "card", "item", "title", "machine", "system", "reason", "explained")


def report_of(waiting: Waiting, outcome: Outcome, zone: ZoneInfo) -> Json | None:
    """The conflict of a transaction that was told late, or None when both sides agree."""
    due = waiting.said.get("due")
    if not outcome.ok or outcome.reason not in QUIET:
        reason = outcome.reason
    elif due and outcome.due and not same_day(datetime.fromisoformat(due), outcome.due, zone):
        reason = DUE
    elif waiting.kind == "block" and waiting.asked.get("blocked"):
        reason = KEPT
    else:
        return None
    return {"reason": reason, "said": waiting.said, "found": said(outcome)}


def live_report(asked: Request | Admission, outcome: Outcome, zone: ZoneInfo) -> Json | None:
    """The conflict of a transaction that was told at once: a machine that was alone had done it already, or took money that fits nothing."""
    reason = outcome.reason
    due = getattr(asked, "due", None) if asked.no_block else None
    told = asked.no_block and (
        not outcome.ok or reason not in QUIET | ({"HOLD_WAITING", "OTHER_BRANCH"} if isinstance(asked, Checkin) else set())
    )
    money = isinstance(asked, Pay) and asked.amount > 0 and (not outcome.ok or reason == "PAID_TOO_MUCH")
    if isinstance(asked, Block) and asked.blocked:
        reason = reason or KEPT
    elif not (told or money):
        if due is None or outcome.due is None or same_day(due, outcome.due, zone):
            return None
        reason = DUE
    return {"reason": reason, "said": {"ok": True} | ({"due": due.isoformat()} if due else {}), "found": said(outcome)}


def same_day(one: datetime, other: datetime, zone: ZoneInfo) -> bool:
    """Whether both are on one day of the library: that is what a patron was told."""
    return one.astimezone(zone).date() == other.astimezone(zone).date()


def rows(conflicts: Iterable[Conflict], language: Language, zone: ZoneInfo, *, masked: bool = True) -> Iterator[dict[str, str]]:
    """Each conflict in words. Card numbers are masked but for their last three characters, unless staff ask for them."""
    for one in conflicts:
        card = str(one.asked.get("patron", ""))
        yield {
            "number": str(one.number),
            "at": datetime.fromisoformat(one.asked.get("at") or one.at).astimezone(zone).strftime("%Y-%m-%d %H:%M"),
            "terminal": one.asked.get("terminal", ""),
            "branch": one.asked.get("branch", ""),
            "what": one.kind + (" undone" if one.asked.get("undo") else ""),
            "card": f"…{card[-3:]}" if card and masked else card,
            "item": one.asked.get("item", ""),
            "title": one.found.get("title") or one.said.get("title", ""),
            "machine": side(one.said, zone),
            "system": side(one.found, zone),
            "reason": one.reason,
            "explained": explained(one.reason, language, one.found),
        }


def as_csv(found: Iterable[dict[str, str]]) -> str:
    """RFC 4180, UTF-8 with a byte order mark, which spreadsheets want; a cell that begins as a formula is made a text."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows({name: f"'{value}" if value[:1] in "=+-@\t" else value for name, value in row.items()} for row in found)
    return "\ufeff" + out.getvalue()


def side(found: Json, zone: ZoneInfo) -> str:
    """What one of the two says, in a few words."""
    parts = ["ok" if found.get("ok") else "no"]
    if found.get("due"):
        parts.append("due " + datetime.fromisoformat(found["due"]).astimezone(zone).strftime("%Y-%m-%d"))
    parts += [found[name] for name in ("route", "fee", "reason") if found.get(name)]
    return ", ".join(parts)


def explained(reason: str, language: str, found: Json) -> str:
    """A reason's sentence; the code where it has none."""
    try:
        return words(reason, language, route=found.get("route", ""), amount=found.get("fee", ""), count="")
    except KeyError:
        return reason
