"""New patrons at FOLIO (POST /users, POST /patron-pin). A user's id is worked out from the request's key, so that none is made twice."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from connectors.circulation.admission import Enrol
from connectors.circulation.backend import Away
from connectors.circulation.domain import Outcome
from connectors.circulation.folio import refusals
from connectors.circulation.folio.interlending import id_of
from connectors.circulation.folio.site import Site
from connectors.circulation.remote.values import Json, moment

log = logging.getLogger("bindery.circulation")

BY_MAIL = "002"
"""FOLIO's fixed id of "email" as the preferred way of contact (mod-users)."""
FRESH = timedelta(days=1)
"""A user of this request's who is no older may have been left half made by an earlier try; one who is older has long had a PIN, and keeps it."""


async def enrol(site: Site, asked: Enrol) -> Outcome:
    """A user with a barcode, of the patron group that the caller's settings name, and with a PIN where one was chosen.

    One whose PIN FOLIO does not take is not made: mod-users has no rules for PINs, but it may be missing, or our user not allowed to set them.
    """
    number = id_of("user", asked.key or f"{asked.patron.card}\0{asked.at.isoformat()}")
    there = await site.user(asked.patron.card)
    if there is not None and not (there["id"] == number and _made(there) >= site.now() - FRESH):
        return Outcome(False, "CARD_KNOWN")
    group = next((one for one, name in (await site.groups()).items() if name == asked.category), None)
    if group is None:
        return Outcome(False, refusals.UNKNOWN)
    user = _user(site, asked, number, group)
    if there is None:
        reply = await site.calls.change("POST", "/users", user)
        if reply.status in (400, 422):
            return Outcome(False, refusals.UNKNOWN)
        if not reply.ok:
            raise site.odd(reply, "a new patron")
    if asked.patron.pin and site.settings.pin == "patron-pin":
        reply = await site.calls.change("POST", "/patron-pin", {"id": number, "pin": asked.patron.pin})
        if not reply.ok:
            if there is None:  # whom an earlier try has made, others may have lent to by now
                await _gone(site, asked, number)
            if reply.status in (400, 422):
                return Outcome(False, refusals.UNKNOWN)
            raise site.odd(reply, "a new PIN")
    return Outcome(True, patron=await site.shown(user, asked.patron.card))


def _made(user: Json) -> datetime:
    return moment((user.get("metadata") or {}).get("createdDate") or "1970-01-01T00:00:00Z")


async def _gone(site: Site, asked: Enrol, number: str) -> None:
    """Take away a user that was made a moment ago. Where that fails the refusal is told all the same."""
    try:
        reply = await site.calls.change("DELETE", f"/users/{number}")
        failed = "" if reply.ok or reply.status == 404 else f"FOLIO answered {reply.status}"
    except Away as error:
        failed = error.what
    site.forget(asked.patron.card)
    if failed:
        log.warning(
            "a new patron whose PIN was refused could not be taken away again, which staff must do, unless it is asked for once more within a day:"
            " %s (the permission is users.item.delete)",
            failed,
        )


def _user(site: Site, asked: Enrol, number: str, group: str) -> Json:
    personal: Json = {"lastName": asked.surname, "firstName": asked.given, "email": asked.email, "phone": asked.phone,
                      "dateOfBirth": asked.birth_date.isoformat() if asked.birth_date else ""}  # fmt: skip
    personal = {name: value for name, value in personal.items() if value} | {"preferredContactTypeId": BY_MAIL}
    if site.settings.address_type and asked.address:
        address = {"addressTypeId": site.settings.address_type, "addressLine1": asked.street, "postalCode": asked.postal_code, "city": asked.city,
                   "primaryAddress": True}  # fmt: skip
        personal["addresses"] = [{name: value for name, value in address.items() if value}]
    return {"id": number, "barcode": asked.patron.card, "active": True, "type": "patron", "patronGroup": group, "personal": personal}
