"""New patrons at FOLIO (POST /users, POST /patron-pin). A user's id is worked out from the request's key, so that none is made twice."""

from __future__ import annotations

from connectors.circulation.admission import Enrol
from connectors.circulation.domain import Outcome
from connectors.circulation.folio import refusals
from connectors.circulation.folio.interlending import id_of
from connectors.circulation.folio.site import Site
from connectors.circulation.folio.views import Json

BY_MAIL = "002"
"""FOLIO's fixed id of "email" as the preferred way of contact (mod-users)."""


async def enrol(site: Site, asked: Enrol) -> Outcome:
    """A user with a barcode, of the patron group that the caller's settings name, and with a PIN where one was chosen."""
    number = id_of("user", asked.key or f"{asked.patron.card}\0{asked.at.isoformat()}")
    there = await site.user(asked.patron.card)
    if there is not None and there["id"] != number:
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
            raise site.odd(reply, "a new PIN")
    return Outcome(True, patron=await site.shown(user, asked.patron.card))


def _user(site: Site, asked: Enrol, number: str, group: str) -> Json:
    personal: Json = {"lastName": asked.surname, "firstName": asked.given, "email": asked.email, "phone": asked.phone,
                      "dateOfBirth": asked.birth_date.isoformat() if asked.birth_date else ""}  # fmt: skip
    personal = {name: value for name, value in personal.items() if value} | {"preferredContactTypeId": BY_MAIL}
    if site.settings.address_type and asked.address:
        address = {"addressTypeId": site.settings.address_type, "addressLine1": asked.street, "postalCode": asked.postal_code, "city": asked.city,
                   "primaryAddress": True}  # fmt: skip
        personal["addresses"] = [{name: value for name, value in address.items() if value}]
    return {"id": number, "barcode": asked.patron.card, "active": True, "type": "patron", "patronGroup": group, "personal": personal}
