"""Another library's copy at Koha: a title of its own with one copy, and a hold on that copy; and all of it gone when the copy goes home.

Source: Koha/REST/V1/Biblios.pm (add, add_item, delete), Items.pm (delete and its error codes), Holds.pm.
Koha makes the hold wait (or sends the copy on) when the copy is checked in, as any that arrives: by staff, or (`check_in`) by us.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from connectors.circulation.admission import Accept, Discard
from connectors.circulation.domain import Checkin, Outcome
from connectors.circulation.koha import refusals
from connectors.circulation.koha.site import BASE, Site, text_of
from connectors.circulation.koha.views import hold_view, item_view, patron_view
from connectors.circulation.remote.arriving import arrived
from connectors.circulation.remote.http import Reply
from connectors.circulation.remote.system import CANNOT
from connectors.circulation.remote.values import Json

CheckIn = Callable[[Checkin], Awaitable[Outcome]]
"""The way that returns go at this site."""
MISSING = (404, 405)
"""What a Koha answers that has no such endpoint yet."""
_LEADER = "     nam a22     3a 4500"


async def accept(site: Site, asked: Accept, check_in: CheckIn) -> Outcome:
    """Title, copy, hold, check-in. What is refused leaves nothing behind."""
    if site.settings.interlending is None:
        return CANNOT
    patron = await site.patron(asked.patron.card) if asked.patron.card else None
    if asked.patron.card and patron is None:
        return Outcome(False, "CARD_UNKNOWN")
    if await site.item(asked.item, afresh=True) is not None:
        return Outcome(False, "ITEM_KNOWN")
    titled = await site.calls.change("POST", f"{BASE}/biblios", _record(site, asked), headers=_headers(site, asked.branch))
    if titled.status in MISSING:
        return CANNOT
    if not titled.ok:
        raise site.odd(titled, "a new title")
    copied = await site.change("POST", f"/biblios/{titled.data['id']}/items", _copy(site, asked), branch=asked.branch)
    if copied.status in (*MISSING, 409):
        await _gone(site, titled.data["id"])
        return CANNOT if copied.status in MISSING else Outcome(False, "ITEM_KNOWN")
    if not copied.ok:
        raise site.odd(copied, "a new copy")
    item = copied.data | {"biblio": {"title": asked.title}}
    return await _held(site, asked, item, patron, check_in)


async def accepted(site: Site, asked: Accept, check_in: CheckIn) -> Outcome | None:
    """What came of an `accept` that was not answered: where the copy is there, the hold is placed if it is missing."""
    item = await site.item(asked.item, afresh=True)
    if item is None or not _ours(site, item):
        return None
    patron = await site.patron(asked.patron.card) if asked.patron.card else None
    return await _held(site, asked, item, patron, check_in)


async def _held(site: Site, asked: Accept, item: Json, patron: Json | None, check_in: CheckIn) -> Outcome:
    view = item_view(site.settings, item)
    if patron is None or item.get("checked_out_date"):  # it was lent before the message came again
        return Outcome(True, item=view)
    shown = patron_view(site.settings, patron, asked.patron.card)
    own = await site.rows("/holds", {"patron_id": patron["patron_id"], "biblio_id": item["biblio_id"]})
    if not own:
        body = {"patron_id": patron["patron_id"], "biblio_id": item["biblio_id"], "item_id": item["item_id"],
                "pickup_library_id": site.settings.theirs(asked.pickup or asked.branch) or patron.get("library_id")}  # fmt: skip
        reply = await site.change("POST", "/holds", body, branch=asked.branch)
        if reply.status in (400, 403, 404):
            await _gone(site, item["biblio_id"], item["item_id"])
            return Outcome(False, refusals.of_hold(text_of(reply)), patron=shown)
        if not reply.ok:
            raise site.odd(reply, "a hold")
        own = [reply.data]
        site.changed(card=asked.patron.card)
    hold, known = hold_view(site.settings, own[0], {item["item_id"]: item}), site.settings.interlending
    if known is not None and known.check_in and not own[0].get("status"):
        hold = await arrived(asked, check_in, hold)
    return Outcome(True, item=view, patron=shown, hold=hold, waiting=shown)


async def discard(site: Site, asked: Discard) -> Outcome:
    """Holds on it, the copy, its title. A copy of the library's own is not let go in this way."""
    if site.settings.interlending is None:
        return CANNOT
    item = await site.item(asked.item, afresh=True)
    if item is None:
        return Outcome(False, "ITEM_UNKNOWN")
    if not _ours(site, item):
        return Outcome(False, "ILS_REFUSED")
    if item.get("checked_out_date"):
        return Outcome(False, "ITEM_ON_LOAN")
    for hold in await site.rows("/holds", {"biblio_id": item["biblio_id"]}):
        await site.change("DELETE", f"/holds/{hold['hold_id']}", branch=asked.branch)
    reply = await site.change("DELETE", f"/items/{item['item_id']}", branch=asked.branch)
    site.changed(barcode=asked.item, item_id=item["item_id"])
    if reply.status == 409:
        return Outcome(False, "ITEM_ON_LOAN" if reply.data.get("error_code") == "checked_out" else refusals.UNKNOWN)
    if reply.status in MISSING:
        return CANNOT
    if not reply.ok:
        raise site.odd(reply, "a copy that goes")
    await _gone(site, item["biblio_id"])
    return Outcome(True, item=item_view(site.settings, item | {"withdrawn": 1}))


async def discarded(site: Site, asked: Discard) -> Outcome | None:
    """What came of a `discard` that was not answered."""
    return Outcome(True) if await site.item(asked.item, afresh=True) is None else None


async def _gone(site: Site, title: int, item: int = 0) -> None:
    """Take a title away, and its copy before it; one that still has something stays (409)."""
    if item:
        await site.change("DELETE", f"/items/{item}")
    reply: Reply = await site.change("DELETE", f"/biblios/{title}")
    if not reply.ok and reply.status not in (*MISSING, 409):
        raise site.odd(reply, "a title that goes")


def _ours(site: Site, item: Json) -> bool:
    """Whether it came in this way: its item type says so."""
    known = site.settings.interlending
    return known is not None and (item.get("item_type_id") or item.get("effective_item_type_id")) == known.item_type


def _headers(site: Site, branch: str) -> dict[str, str]:
    """A record in MARC-in-JSON; Koha need not look whether it has the title already."""
    assert site.settings.interlending is not None
    return {**site.at(branch), "Content-Type": "application/marc-in-json", "x-record-schema": site.settings.interlending.marc,
            "x-framework-id": site.settings.interlending.framework, "x-confirm-not-duplicate": "1"}  # fmt: skip


def _record(site: Site, asked: Accept) -> Json:
    """A title and no more, kept out of the OPAC (Koha's 942 $n)."""
    known = site.settings.interlending
    assert known is not None
    tag, first = ("200", "1") if known.marc == "UNIMARC" else ("245", "0")
    return {
        "leader": _LEADER,
        "fields": [
            {tag: {"ind1": first, "ind2": "0", "subfields": [{"a": asked.title or asked.item}]}},
            {"942": {"ind1": " ", "ind2": " ", "subfields": [{"c": known.item_type}, {"n": "1"}]}},
        ],
    }


def _copy(site: Site, asked: Accept) -> Json:
    known = site.settings.interlending
    assert known is not None
    library = site.settings.theirs(asked.branch)
    body: Json = {"external_id": asked.item, "item_type_id": known.item_type, "internal_notes": f"Interlending: {asked.owner}"}
    return body | ({"home_library_id": library, "holding_library_id": library} if library else {})
