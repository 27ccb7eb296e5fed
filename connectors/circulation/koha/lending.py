"""Loans and renewals at Koha: one call when all is well, a second one when Koha wants something confirmed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from connectors.circulation.domain import Checkout, Outcome, Renew
from connectors.circulation.koha import refusals
from connectors.circulation.koha.site import Site, text_of
from connectors.circulation.koha.views import item_view, patron_view
from connectors.circulation.remote.http import Reply
from connectors.circulation.remote.values import Json, moment

AT_ONCE = 4
"""Renewals under way at a time when a patron renews everything."""


async def checkout(site: Site, asked: Checkout) -> Outcome:
    """Lend a copy. What a machine did while it was alone is confirmed, whatever Koha asks; what Koha forbids outright it cannot be told."""
    patron, item, right = await asyncio.gather(site.patron(asked.patron.card), site.item(asked.item), site.pin_right(asked.patron))
    if right is False:
        return Outcome(False, "PIN_WRONG")
    if patron is None or item is None:
        return Outcome(False, "CARD_UNKNOWN" if patron is None else "ITEM_UNKNOWN")
    shown = patron_view(site.settings, patron, asked.patron.card)
    if asked.no_block and (outcome := await _before(site, asked, patron, item)):
        return outcome
    reply, overruled = await _lent(site, asked, patron, item)
    if reply.status == 201:
        site.changed(card=asked.patron.card, barcode=asked.item, item_id=item["item_id"])
        told = set(overruled) - site.settings.confirm - {"RENEW_ISSUE"}
        reason = refusals.of_loan(told) if told else ""
        return Outcome(
            True, reason, item=item_view(site.settings, item), patron=shown, due=moment(reply.data["due_date"]), renewed="RENEW_ISSUE" in overruled
        )  # fmt: skip
    if reply.status in (403, 409, 412):
        reason = _reason(reply, overruled, renewal_allowed=asked.renewal_allowed)
        return Outcome(False, reason, item=item_view(site.settings, item), patron=shown)
    raise site.odd(reply, "a checkout")


async def _before(site: Site, asked: Checkout, patron: Json, item: Json) -> Outcome | None:
    """What a loan that is told late meets: it is known already, or somebody has it who got it later."""
    loan = await site.checkout_of(item["item_id"])
    if loan is None or moment(loan["checkout_date"]) < asked.at:
        return None
    view, shown = item_view(site.settings, item), patron_view(site.settings, patron, asked.patron.card)
    if loan["patron_id"] == patron["patron_id"]:
        return Outcome(True, item=view, patron=shown, due=moment(loan["due_date"]))
    return Outcome(False, "ITEM_ON_LOAN", item=view, patron=shown)


async def _lent(site: Site, asked: Checkout, patron: Json, item: Json) -> tuple[Reply, list[str]]:
    """Koha's answer, and what was confirmed, or would have had to be."""
    body = {"patron_id": patron["patron_id"], "item_id": item["item_id"]}
    reply = await site.change("POST", "/checkouts", body, branch=asked.branch)
    if reply.status != 412:
        return reply, []
    found = await site.calls.ask(
        "/api/v1/checkouts/availability", {name: str(value) for name, value in body.items()}, site.at(asked.branch)
    )
    if not found.ok:
        raise site.odd(found, "the availability of an item")
    keys = [key for key in found.data["confirms"] if key.isupper()]
    if not (asked.no_block or _may_be_confirmed(site, asked, keys)):
        return reply, keys
    return await site.change("POST", "/checkouts", body, branch=asked.branch, confirmation=found.data["confirmation_token"]), keys


def _may_be_confirmed(site: Site, asked: Checkout, keys: Iterable[str]) -> bool:
    allowed = site.settings.confirm | ({"RENEW_ISSUE"} if asked.renewal_allowed else frozenset())
    return set(keys) <= allowed


def _reason(reply: Reply, keys: list[str], *, renewal_allowed: bool) -> str:
    if reply.status == 409:
        return "ITEM_UNKNOWN" if reply.data.get("error_code") == "ITEM_NOT_FOUND" else "CARD_UNKNOWN"
    found = keys or refusals.keys_of(text_of(reply))
    reason = refusals.of_loan(found)
    return "LENT_TO_YOU" if reason == "TOO_MANY_RENEWALS" and not renewal_allowed else reason


async def renew(site: Site, asked: Renew) -> Outcome:
    """Lend a copy longer; without one, all of the patron's."""
    patron, item, right = await asyncio.gather(site.patron(asked.patron.card), _none_or(site, asked.item), site.pin_right(asked.patron))
    if right is False:
        return Outcome(False, "PIN_WRONG")
    if patron is None:
        return Outcome(False, "CARD_UNKNOWN")
    if not asked.item:
        return await _renew_all(site, asked, patron)
    shown = patron_view(site.settings, patron, asked.patron.card)
    loan = await site.checkout_of(item["item_id"]) if item else None
    if item is None or loan is None:
        return Outcome(False, "NOT_LENT", patron=shown)
    if loan["patron_id"] != patron["patron_id"] and not asked.third_party:
        return Outcome(False, "NOT_LENT_TO_YOU", patron=shown)
    view = item_view(site.settings, item)
    if asked.no_block and loan.get("last_renewed_date") and moment(loan["last_renewed_date"]) >= asked.at:
        return Outcome(True, item=view, patron=shown, due=moment(loan["due_date"]), renewed=True)
    why, due = await _renewed(site, asked, loan)
    return Outcome(not why, why, item=view, patron=shown, due=moment(due), renewed=not why)


async def _renewed(site: Site, asked: Renew, loan: Json) -> tuple[str, str]:
    """Why not, or '', and the due date that is now the case."""
    reply = await site.change("POST", f"/checkouts/{loan['checkout_id']}/renewals", branch=asked.branch)
    if reply.status == 201:
        site.changed(card=asked.patron.card, item_id=loan["item_id"])
        return "", reply.data["due_date"]
    if reply.status in (403, 404):
        return refusals.of_renewal(text_of(reply)) if reply.status == 403 else "NOT_LENT", loan["due_date"]
    raise site.odd(reply, "a renewal")


async def _renew_all(site: Site, asked: Renew, patron: Json) -> Outcome:
    loans = await site.rows("/checkouts", {"patron_id": patron["patron_id"]})
    items = await site.items_of(loan["item_id"] for loan in loans) if loans else {}
    few = asyncio.Semaphore(AT_ONCE)

    async def one(loan: Json) -> bool:
        async with few:
            return not (await _renewed(site, asked, loan))[0]

    results = await asyncio.gather(*map(one, loans))
    names = [items.get(loan["item_id"], {}).get("external_id") or str(loan["item_id"]) for loan in loans]
    done = tuple(name for name, ok in zip(names, results, strict=True) if ok)
    not_done = tuple(name for name, ok in zip(names, results, strict=True) if not ok)
    shown = patron_view(site.settings, patron, asked.patron.card)
    return Outcome(True, patron=shown, done=done, not_done=not_done, renewed=bool(done))


async def _none_or(site: Site, barcode: str) -> Json | None:
    return await site.item(barcode) if barcode else None
