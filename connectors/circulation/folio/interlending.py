"""Another library's copy at FOLIO: an instance, holdings and an item of its own, and a page request on it; and all of it gone when it goes home.

Source: folio-org/mod-ncip (AcceptItem, DeleteItem), which makes the same records with the same settings. Their ids are worked out from the
request's key: done again after an answer that was lost, it finds what is there. FOLIO makes the request wait when the item is checked in: by
staff, or (`check_in`) by us.
"""

from __future__ import annotations

from functools import partial
from uuid import UUID, uuid5

from connectors.circulation.admission import Accept, Discard
from connectors.circulation.domain import Outcome
from connectors.circulation.folio import desk_work, lending, refusals
from connectors.circulation.folio.settings import Interlending
from connectors.circulation.folio.site import Site
from connectors.circulation.folio.views import hold_view, item_view
from connectors.circulation.remote.arriving import arrived
from connectors.circulation.remote.system import CANNOT
from connectors.circulation.remote.values import Json

_SPACE = UUID("0b6c1f3e-7a52-4f0d-8b33-5a9e6d1c2f47")
INSTANCES, HOLDINGS, ITEMS, REQUESTS = "/inventory/instances", "/holdings-storage/holdings", "/inventory/items", "/circulation/requests"


def id_of(kind: str, key: str) -> str:
    """The UUID of what a request makes: always the same."""
    return str(uuid5(_SPACE, f"{kind}\0{key}"))


async def accept(site: Site, asked: Accept) -> Outcome:
    """Instance, holdings, item, request, check-in. What is refused leaves nothing behind."""
    known = site.settings.interlending
    if known is None:
        return CANNOT
    user = await site.user(asked.patron.card) if asked.patron.card else None
    if asked.patron.card and user is None:
        return Outcome(False, "CARD_UNKNOWN")
    key = asked.key or f"{asked.item}\0{asked.at.isoformat()}"
    own = {kind: id_of(kind, key) for kind in ("instance", "holdings", "item", "request")}
    there = await site.item(asked.item)
    if there is not None and there["id"] != own["item"]:
        return Outcome(False, "ITEM_KNOWN")
    if there is None:
        for path, body in _records(asked, known, own):
            if why := await _made(site, path, body):
                await _gone(site, own["item"], own["holdings"], own["instance"])
                return Outcome(False, why)
        there = await site.item(asked.item)
    view = item_view(site.settings, there or {"barcode": asked.item, "title": asked.title})
    if user is None or view.status == "on_loan":  # it was lent before the message came again
        return Outcome(True, item=view)
    shown = await site.shown(user, asked.patron.card)
    request: Json = {
        "id": own["request"], "requesterId": user["id"], "instanceId": own["instance"], "holdingsRecordId": own["holdings"], "itemId": own["item"],
        "requestLevel": "Item", "requestType": "Page", "fulfillmentPreference": "Hold Shelf", "requestDate": asked.at.isoformat(timespec="milliseconds"),
        "pickupServicePointId": site.settings.theirs(asked.pickup or asked.branch),
    }  # fmt: skip
    if why := await _made(site, REQUESTS, request):
        await _gone(site, own["item"], own["holdings"], own["instance"])
        return Outcome(False, why, patron=shown)
    site.changed(asked.patron.card)
    hold = hold_view(site.settings, request | {"instance": {"title": asked.title}})
    if known.check_in:
        hold = await arrived(asked, partial(lending.checkin, site), hold)
    return Outcome(True, item=view, patron=shown, hold=hold, waiting=shown)


async def discard(site: Site, asked: Discard) -> Outcome:
    """Requests for it, the item, its holdings and instance. An item of the library's own is not let go in this way."""
    known = site.settings.interlending
    if known is None:
        return CANNOT
    item = await site.item(asked.item)
    if item is None:
        return Outcome(False, "ITEM_UNKNOWN")
    if (item.get("materialType") or {}).get("id") != known.material_type:
        return Outcome(False, "ILS_REFUSED")
    if await site.loan_of(item["id"]) is not None:
        return Outcome(False, "ITEM_ON_LOAN")
    instance = await site.instance_of(item)
    for request in await site.requests("itemId", item["id"]):
        await desk_work.cancelled(site, request, asked.at)
    reply = await site.calls.change("DELETE", f"{ITEMS}/{item['id']}")
    if reply.status in (400, 409, 422):
        return Outcome(False, refusals.UNKNOWN)
    if not reply.ok and reply.status != 404:
        raise site.odd(reply, "an item that goes")
    await _gone(site, "", item["holdingsRecordId"], instance)
    return Outcome(True, item=item_view(site.settings, item | {"status": {"name": "Withdrawn"}}))


def _records(asked: Accept, known: Interlending, own: dict[str, str]) -> list[tuple[str, Json]]:
    title = asked.title or asked.item
    return [
        (INSTANCES, {"id": own["instance"], "title": title, "source": "FOLIO", "instanceTypeId": known.instance_type, "discoverySuppress": True}),
        (
            HOLDINGS,
            {"id": own["holdings"], "instanceId": own["instance"], "permanentLocationId": known.location, "sourceId": known.holdings_source,
             "discoverySuppress": True},
        ),
        (
            ITEMS,
            {"id": own["item"], "holdingsRecordId": own["holdings"], "barcode": asked.item, "status": {"name": "Available"},
             "materialType": {"id": known.material_type}, "permanentLoanType": {"id": known.loan_type}, "permanentLocation": {"id": known.location},
             "itemLevelCallNumber": asked.item, "discoverySuppress": True},
        ),
    ]  # fmt: skip


async def _made(site: Site, path: str, body: Json) -> str:
    """Make it, unless it is there. Why not, or ''."""
    reply = await site.calls.change("POST", path, body)
    if reply.ok or (await site.calls.ask(f"{path}/{body['id']}")).ok:
        return ""
    if reply.status in (400, 422):
        return refusals.reason(reply.data)
    raise site.odd(reply, path)


async def _gone(site: Site, item: str, holdings: str, instance: str) -> None:
    """Take them away, the inner first; what still has something (400) or is not there (404) stays as it is."""
    for path, number in ((ITEMS, item), (HOLDINGS, holdings), (INSTANCES, instance)):
        if number:
            await site.calls.change("DELETE", f"{path}/{number}")
