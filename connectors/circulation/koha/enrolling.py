"""New patrons at Koha (POST /patrons, POST /patrons/{id}/password)."""

from __future__ import annotations

import logging
from datetime import datetime

from connectors.circulation.admission import Enrol
from connectors.circulation.domain import Outcome
from connectors.circulation.koha import refusals
from connectors.circulation.koha.site import Site
from connectors.circulation.koha.views import patron_view
from connectors.circulation.remote.values import Json

log = logging.getLogger("bindery.circulation")


async def enrol(site: Site, asked: Enrol) -> Outcome:
    """A patron with a card, and with a PIN where one was chosen. One whose PIN Koha does not take is not made."""
    if await site.patron(asked.patron.card) is not None:
        return Outcome(False, "CARD_KNOWN")
    reply = await site.change("POST", "/patrons", _patron(site, asked), branch=asked.branch)
    if reply.status in (400, 409):  # no such category or library; a card that somebody else has got meanwhile
        return Outcome(False, "CARD_KNOWN" if reply.status == 409 else refusals.UNKNOWN)
    if not reply.ok:
        raise site.odd(reply, "a new patron")
    return await _with_pin(site, asked, reply.data)


async def enrolled(site: Site, asked: Enrol, since: datetime) -> Outcome | None:
    """What came of an `enrol` that was not answered. Somebody else who has the card is not given this PIN."""
    found = await site.patron(asked.patron.card)
    if found is None:
        return None
    wanted = _patron(site, asked)
    same = all(
        found.get(name) == value for name, value in wanted.items() if name in ("surname", "firstname", "category_id", "date_of_birth")
    )
    fresh = (found.get("date_enrolled") or "") >= since.astimezone(site.settings.zone).date().isoformat()
    return await _with_pin(site, asked, found) if same and fresh else Outcome(False, "CARD_KNOWN")


async def _with_pin(site: Site, asked: Enrol, found: Json) -> Outcome:
    if asked.patron.pin:
        body = {"password": asked.patron.pin, "password_2": asked.patron.pin}
        reply = await site.change("POST", f"/patrons/{found['patron_id']}/password", body, branch=asked.branch)
        if reply.status == 400:  # too short or too weak by Koha's own rules
            gone = await site.change("DELETE", f"/patrons/{found['patron_id']}", branch=asked.branch)
            if not gone.ok and gone.status != 404:
                log.warning(
                    "a new patron whose PIN was refused could not be taken away again, which staff must do: Koha answered %d"
                    " (the permission is delete_borrowers)",
                    gone.status,
                )
            return Outcome(False, refusals.UNKNOWN)
        if not reply.ok:
            raise site.odd(reply, "a new PIN")
    return Outcome(True, patron=patron_view(site.settings, found, asked.patron.card))


def _patron(site: Site, asked: Enrol) -> Json:
    """Koha's patron. `lang` is a code of the site's own choosing among its translations: it is left to Koha."""
    known: Json = {
        "cardnumber": asked.patron.card,
        "surname": asked.surname,
        "firstname": asked.given,
        "library_id": site.settings.theirs(asked.branch),
        "category_id": asked.category,
        "date_of_birth": asked.birth_date.isoformat() if asked.birth_date else "",
        "address": asked.street,
        "postal_code": asked.postal_code,
        "city": asked.city,
        "email": asked.email,
        "phone": asked.phone,
    }
    return {name: value for name, value in known.items() if value}
