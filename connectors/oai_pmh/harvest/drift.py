"""What a repository lists beside what we hold, in numbers: 17 bytes for each record that is listed, 25 for each of ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.oai_pmh.harvest.columns import Bools, Ints, columns, moments
from connectors.oai_pmh.harvest.held import digests
from connectors.oai_pmh.harvest.page import Page
from connectors.oai_pmh.settings import OaiHarvest
from include.engine.inbound.pulled import Pull
from include.engine.inbound.work import partner_rows

_UNREADABLE = np.iinfo(np.int64).min
Digests = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Listed:
    """What a list names, in its order: a hash of each identifier, its datestamp in seconds, whether it is deleted."""

    digest: Digests
    at: Ints
    deleted: Bools

    @classmethod
    def of(cls, pages: Iterable[Page]) -> Listed:
        """Everything on these pages."""
        parts = [(digests(found.identifier), _seconds(moments(found.datestamp)), found.deleted) for found in map(columns, pages)]
        none = (np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.bool_))
        digest, at, deleted = (np.concatenate(some) for some in zip(none, *parts, strict=True))
        return cls(digest, at, deleted)

    def last(self) -> Ints:
        """The place of each record's last mention."""
        _, first = np.unique(self.digest[::-1], return_index=True)
        return np.sort(len(self.digest) - 1 - first)


class Ours:
    """The partner's records of the flow's prefix, as the lake holds them now."""

    def __init__(self, pull: Pull, flow: OaiHarvest) -> None:
        names = ["prefix", "identifier", "datestamp", "deleted", *(["control_number", "agency"] if flow.binds else [])]
        rows = partner_rows(pull.engine, pull.partner.id, "oai_record", names)
        rows = rows.filter(pc.equal(rows.column("prefix"), flow.prefix))
        digest = digests(rows.column("identifier"))
        order = np.argsort(digest)
        self._digest, self._at = digest[order], _seconds(rows.column("datestamp").combine_chunks())[order]
        self._deleted = np.asarray(rows.column("deleted").combine_chunks()).astype(np.bool_)[order]
        self._untitled = _untitled(pull, rows)[order] if flow.binds else np.zeros(len(digest), np.bool_)

    def __len__(self) -> int:
        return len(self._digest)

    def absent(self, theirs: Iterable[Listed], since: datetime | None) -> float:
        """The part of our living records, those older than `since` left out, that no list names."""
        named = np.concatenate([np.empty(0, np.uint64), *(one.digest for one in theirs)])
        living = ~self._deleted & (self._at >= (since.timestamp() if since else _UNREADABLE))
        return float((~np.isin(self._digest[living], named)).sum()) / max(1, int(living.sum()))

    def beside(self, theirs: Listed) -> dict[str, Ints]:
        """Places in their list of living records that are to be fetched: those that we lack (`missing`), hold in another state (`older`), or hold
        without the title that they were bound to (`untitled`): an export that had brought it too has given it up."""
        places = theirs.last()
        places = places[~theirs.deleted[places]]
        wanted = theirs.digest[places]
        at = np.minimum(np.searchsorted(self._digest, wanted), max(len(self) - 1, 0))
        if not len(self):
            return {"missing": places, "older": places[:0], "untitled": places[:0]}
        known = self._digest[at] == wanted
        older = known & ((self._at[at] != theirs.at[places]) | self._deleted[at])
        return {"missing": places[~known], "older": places[older], "untitled": places[known & ~older & self._untitled[at]]}


def names_at(pages: Iterator[Page], places: Ints) -> list[str]:
    """The identifiers at these places of a list, each place counted over all its pages."""
    found, start = list[str](), 0
    for page in pages:
        first, last = np.searchsorted(places, [start, start + len(page)])
        if last > first:
            found += columns(page).identifier.take(pa.array(places[first:last] - start)).to_pylist()
        start += len(page)
    return found


def _untitled(pull: Pull, rows: pa.Table) -> Bools:
    """Which records were bound to a title that the partner has not got."""
    titles = partner_rows(pull.engine, pull.partner.id, "bibliographic", ["control_number", "agency"])
    there = np.sort(_keys(titles))
    bound = np.asarray(rows.column("control_number").is_valid()).astype(np.bool_)
    found: Bools = bound & ~np.isin(_keys(rows), there)
    return found


def _keys(rows: pa.Table) -> Digests:
    return digests(pc.binary_join_element_wise(rows.column("agency").fill_null(""), rows.column("control_number").fill_null(""), "\0"))


def _seconds(moments_: pa.Array) -> Ints:
    filled: Ints = pc.fill_null(moments_.cast(pa.timestamp("s", "UTC"), safe=False).cast(pa.int64()), _UNREADABLE).to_numpy(
        zero_copy_only=False
    )
    return filled
