"""A loan that is undone leaves the holds on its title as they stood before it: who waited waits again, at the same place and shelf."""

from __future__ import annotations

import json

from connectors.circulation.embedded.direct import Row
from connectors.circulation.embedded.store import Change, Store


def as_it_stands(item: Row, patron: str, loaned_at: int, now: int, holds: list[Row]) -> Change:
    """What is remembered with a loan that fills a hold, or takes a copy that waited for another: `item` and `holds` as they are before it."""
    row = {"item": item["item"], "patron": patron, "loaned_at": loaned_at, "at": now, "status": item["status"], "hold": item["hold"],
           "holds": json.dumps(holds, ensure_ascii=False)}  # fmt: skip
    return ["filled", row]


def as_it_stood(store: Store, item: Row, loan: Row) -> list[Change]:
    """The changes that put the item of a loan that is undone, and the holds that the loan changed, back as they were.

    A hold does not come back that was cancelled meanwhile, filled with another copy, or placed anew by its patron. An item that waits for
    somebody else by now (the library system has said so) goes on waiting for them, and the hold waits for another copy.
    """
    before = store.get("filled", item["item"])
    available: Change = ["item", item | {"status": "available"}]
    if before is None or (before["patron"], before["loaned_at"]) != (loan["patron"], loan["loaned_at"]):
        return [available]
    changes: list[Change] = [["-filled", item["item"]]]
    after = available
    for was in json.loads(before["holds"]):
        hold = _comes_back(store, was, filled=was["patron"] == loan["patron"])
        if hold is None:
            continue
        if hold["item"] == item["item"] and item["hold"] not in ("", hold["hold"]):
            hold |= {"item": "", "ready": 0}
        elif hold["hold"] == before["hold"]:
            after = ["item", item | {"status": before["status"], "hold": before["hold"]}]
        changes.append(["hold", hold])
    return [*changes, after]


def _comes_back(store: Store, was: Row, *, filled: bool) -> Row | None:
    """The hold as it was, but for what its patron has changed since. One that the loan filled is gone, one whose copy it took waits for another."""
    now = store.get("hold", was["hold"])
    if now is not None:
        return None if now["ready"] or now["item"] not in ("", was["item"]) else now | {"item": was["item"], "ready": was["ready"]}
    return was if filled and all(one["patron"] != was["patron"] for one in store.queue(was["title_id"])) else None
