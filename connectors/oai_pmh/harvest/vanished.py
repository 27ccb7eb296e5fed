"""Records that we hold and that a comparison's list does not name, or names as deleted: tombstones that the repository never sent."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime
from typing import Any

import numpy as np
import xxhash

from connectors.oai_pmh.harvest.held import Held
from connectors.oai_pmh.harvest.page import Page
from connectors.oai_pmh.harvest.record import items
from connectors.oai_pmh.harvest.times import moment
from include.engine.contract.loading import load
from include.engine.errors import Held as HeldBack
from include.engine.inbound.connector import Work
from include.engine.reasons import words


class Listing:
    """The identifiers of a comparison's list: eight bytes each, and the deleted ones by name."""

    def __init__(self) -> None:
        self._named = array("Q")
        self._deleted: dict[str, datetime | None] = {}
        self._began: datetime | None = None

    def add(self, page: Page, at: datetime) -> None:
        """A page of the list, that came at this moment."""
        self._began = self._began or at
        for item in items(page):
            self._named.append(xxhash.xxh3_64_intdigest(item.identifier.encode()))
            if item.deleted:
                self._deleted[item.identifier] = moment(item.datestamp)

    def gone(self, work: Work, held: Held, since: datetime | None) -> list[dict[str, Any]]:
        """What becomes a tombstone, with `vanished` true where the list did not name it at all. Of what is older than `since` nothing was asked;
        and where the list is read again later (a replay), it says nothing of what was changed after it.

        Raises Held MASS_DELETION when that is more than the contract allows without a person's word: a list may be wrong.
        """
        rows = held.rows.select(["identifier", "datestamp", "sets", "deleted", "control_number", "agency"])
        listed = np.unique(np.frombuffer(self._named, np.uint64)) if self._named else np.empty(0, np.uint64)
        at = (self._began or work.delivery.seen_at).astimezone(UTC).replace(microsecond=0)
        first, last = _numpy(since or datetime.min), _numpy(at if work.delivery.origin is not None else datetime.max)
        found, living = [], 0
        for batch in rows.to_batches(max_chunksize=50_000):
            names = batch.column("identifier").to_pylist()
            hashes = np.fromiter((xxhash.xxh3_64_intdigest(name.encode()) for name in names), np.uint64, len(names))
            here = np.isin(hashes, listed)
            alive = ~np.asarray(batch.column("deleted").to_pylist(), dtype=bool)
            living += int(alive.sum())
            stamps = batch.column("datestamp").to_numpy(zero_copy_only=False)
            asked = here | ((stamps >= first) & (stamps < last))
            for number in np.flatnonzero(alive & asked).tolist():
                if here[number] and names[number] not in self._deleted:
                    continue
                row = batch.slice(number, 1).to_pylist()[0]
                stamp = self._deleted.get(names[number]) or at
                found.append({"identifier": row["identifier"], "sets": row["sets"], "datestamp": stamp, "vanished": not here[number]})
        _brake(work, sum(one["vanished"] for one in found), living)
        return found


def _numpy(at: datetime) -> np.datetime64:
    """As a column of moments is compared with: in UTC."""
    return np.datetime64(at.replace(tzinfo=None), "us")


def _brake(work: Work, gone: int, living: int) -> None:
    most = load("oai_record").delete_above
    if living and gone / living > most and not work.delivery.facts.get("approved"):
        values = {"count": gone, "limit": f"{most:.0%}"}
        raise HeldBack(words("MASS_DELETION", "en", **values), where=work.delivery.id, code="MASS_DELETION", values=values)
