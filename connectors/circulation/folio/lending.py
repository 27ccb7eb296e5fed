"""Loans, returns and renewals at FOLIO: one call each when all is well."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta

from connectors.circulation.backend import Away
from connectors.circulation.domain import Checkin, Checkout, Hold, Item, Outcome, Patron, Renew
from connectors.circulation.folio import refusals
from connectors.circulation.folio.site import Site
from connectors.circulation.folio.views import item_view, patron_view
from connectors.circulation.remote.http import Reply
from connectors.circulation.remote.values import Json, moment

AT_ONCE = 4
COMMENT = "Done at a self-service machine while the library system was away"


async def checkout(site: Site, asked: Checkout) -> Outcome:
    """Lend a copy. The card goes to FOLIO as it is; the user is asked for only where a PIN or a name is wanted."""
    user = await site.let_in(asked.patron)
    if isinstance(user, str):
        return Outcome(False, user)
    body: Json = {"itemBarcode": asked.item, "userBarcode": asked.patron.card, "servicePointId": site.settings.theirs(asked.branch)}
    if asked.no_block:
        body["loanDate"] = asked.at.isoformat(timespec="milliseconds")
        if outcome := await _before(site, asked, user):
            return outcome
    shown = await site.shown(user, asked.patron.card)
    reply = await site.calls.change("POST", "/circulation/check-out-by-barcode", body)
    why = ""
    if reply.status == 422:
        why = refusals.reason(reply.data)
        if asked.no_block:
            reply = await _insisted(site, asked, body, reply, why)
        elif why == "ITEM_ON_LOAN":
            return await _own(site, asked, user, shown)
    if reply.status == 422:
        return Outcome(False, refusals.reason(reply.data), item=await _item(site, asked.item), patron=shown)
    if not reply.ok:
        raise site.odd(reply, "a checkout")
    site.changed(asked.patron.card)
    found = reply.data
    due = await _promised(site, asked, found)
    return Outcome(True, why, item=item_view(site.settings, found["item"] | {"barcode": asked.item}), patron=shown, due=due)


async def _promised(site: Site, asked: Checkout | Renew, loan: Json) -> datetime:
    """When the loan is due: where it is told late and the settings want it, the day that the patron was told. One that FOLIO refuses stays as it is."""
    due = moment(loan["dueDate"])
    zone = site.settings.zone
    if not (asked.no_block and site.settings.promised and asked.due) or asked.due.astimezone(zone).date() == due.astimezone(zone).date():
        return due
    with suppress(Away):  # the loan itself is made: what is not known of its day is a conflict at most
        path = f"/circulation/loans/{loan['id']}/change-due-date"
        if (await site.calls.change("POST", path, {"dueDate": asked.due.isoformat(timespec="milliseconds")})).ok:
            return asked.due
    return due


async def _before(site: Site, asked: Checkout, user: Json) -> Outcome | None:
    """What a loan that is told late meets: it is known already, or somebody has it who got it later."""
    item = await site.item(asked.item)
    loan = await site.loan_of(item["id"]) if item else None
    if item is None or loan is None or moment(loan["loanDate"]) < asked.at.replace(microsecond=0):
        return None
    view, shown = item_view(site.settings, item), await site.shown(user, asked.patron.card)
    if loan["userId"] == user["id"]:
        return Outcome(True, item=view, patron=shown, due=moment(loan["dueDate"]))
    return Outcome(False, "ITEM_ON_LOAN", item=view, patron=shown)


async def _insisted(site: Site, asked: Checkout, body: Json, reply: Reply, why: str) -> Reply:
    """The same with what may be overridden; an item that another has is returned first, for it was in the machine's hands."""
    if why == "ITEM_ON_LOAN":
        await _in(site, asked.item, asked.branch, asked.at)
        site.everyone_changed()
        reply = await site.calls.change("POST", "/circulation/check-out-by-barcode", body)
    blocks = refusals.overridable(reply.data) if reply.status == 422 else None
    if not blocks or not blocks <= site.settings.override:
        return reply
    override: Json = {name: {} for name in blocks} | {"comment": COMMENT}
    if "itemNotLoanableBlock" in blocks:
        due = asked.due if asked.due and asked.due > asked.at else asked.at + timedelta(days=site.settings.loan_days)
        override["itemNotLoanableBlock"] = {"dueDate": due.isoformat(timespec="milliseconds")}
    return await site.calls.change("POST", "/circulation/check-out-by-barcode", body | {"overrideBlocks": override})


async def _own(site: Site, asked: Checkout, user: Json, shown: Patron) -> Outcome:
    """The item is out: perhaps to this very patron, who then renews it where that is allowed."""
    item = await site.item(asked.item)
    loan = await site.loan_of(item["id"]) if item else None
    if loan is None or loan["userId"] != user["id"]:
        return Outcome(False, "ITEM_ON_LOAN", item=item_view(site.settings, item) if item else None, patron=shown)
    if not asked.renewal_allowed:
        return Outcome(False, "LENT_TO_YOU", item=item_view(site.settings, item or {}), patron=shown)
    return await _renewed(site, asked, asked.item, asked.patron.card, shown)


async def _item(site: Site, barcode: str) -> Item | None:
    found = await site.item(barcode)
    return item_view(site.settings, found) if found else None


async def renew(site: Site, asked: Renew) -> Outcome:
    """Lend a copy longer; without one, all of the patron's."""
    user = await site.let_in(asked.patron)
    if isinstance(user, str):
        return Outcome(False, user)
    shown = await site.shown(user, asked.patron.card)
    if asked.item:
        card = asked.patron.card
        if asked.third_party and (loan := await _loan(site, asked.item)):
            card = (loan.get("borrower") or {}).get("barcode") or card
        return await _renewed(site, asked, asked.item, card, shown)
    patron = await site.view(user, asked.patron, None, whole=True)
    few = asyncio.Semaphore(AT_ONCE)

    async def one(item: str) -> bool:
        async with few:
            return (await _renewed(site, asked, item, asked.patron.card, shown)).ok

    names = [loan.item for loan in patron.loans]
    results = await asyncio.gather(*map(one, names))
    done = tuple(name for name, ok in zip(names, results, strict=True) if ok)
    not_done = tuple(name for name, ok in zip(names, results, strict=True) if not ok)
    return Outcome(True, patron=shown, done=done, not_done=not_done, renewed=bool(done))


async def _loan(site: Site, barcode: str) -> Json | None:
    item = await site.item(barcode)
    return await site.loan_of(item["id"]) if item else None


async def _renewed(site: Site, asked: Checkout | Renew, barcode: str, card: str, shown: Patron) -> Outcome:
    body: Json = {"itemBarcode": barcode, "userBarcode": card}
    if asked.branch:
        body["servicePointId"] = site.settings.theirs(asked.branch)
    reply = await site.calls.change("POST", "/circulation/renew-by-barcode", body)
    if reply.status == 422:
        return Outcome(False, refusals.reason(reply.data), patron=shown)
    if not reply.ok:
        raise site.odd(reply, "a renewal")
    site.changed(card)
    found = reply.data
    due = await _promised(site, asked, found)
    return Outcome(True, item=item_view(site.settings, found["item"] | {"barcode": barcode}), patron=shown, due=due, renewed=True)


async def checkin(site: Site, asked: Checkin) -> Outcome:
    """Take a copy back."""
    at = (asked.returned or asked.at) if asked.no_block else asked.at
    if asked.no_block and (loan := await _loan(site, asked.item)) and moment(loan["loanDate"]) > at:
        return Outcome(True, "RETURNED_BEFORE", item=item_view(site.settings, loan["item"]))
    reply = await _in(site, asked.item, asked.branch, at)
    if reply.status == 422:
        return Outcome(False, refusals.reason(reply.data))
    if not reply.ok:
        raise site.odd(reply, "a return")
    site.everyone_changed()
    return _returned(site, asked, reply.data)


async def _in(site: Site, barcode: str, branch: str, at: datetime) -> Reply:
    body: Json = {
        "itemBarcode": barcode,
        "servicePointId": site.settings.theirs(branch),
        "checkInDate": at.isoformat(timespec="milliseconds"),
    }
    return await site.calls.change("POST", "/circulation/check-in-by-barcode", body)


def _returned(site: Site, asked: Checkin, found: Json) -> Outcome:
    item = found["item"]
    view = item_view(site.settings, item)
    slip = found.get("staffSlipContext") or {}
    there = site.settings.ours(item.get("inTransitDestinationServicePointId")) or asked.branch
    if slip.get("request"):
        who = slip.get("requester") or {}
        waiting = patron_view(site.settings, {"id": who.get("barcode") or "", "personal": who}, who.get("barcode") or "", {})
        hold = Hold(slip["request"].get("requestID") or "", view.title, there, view.status == "on_hold", view.item)
        return Outcome(True, "HOLD_WAITING", item=view, route=there, hold=hold, waiting=waiting)
    if view.status == "in_transit":
        return Outcome(True, "OTHER_BRANCH", item=view, route=there)
    if found.get("loan"):
        return Outcome(True, item=view)
    return Outcome(
        view.status not in ("lost", "withdrawn"), "NOT_LENT" if view.status not in ("lost", "withdrawn") else "ITEM_NOT_FOR_LOAN", item=view
    )
