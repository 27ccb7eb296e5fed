"""How far the harvest of one series is: rebuilt from the kept pages by a try that goes on after another."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xxhash

from connectors.oai_pmh.harvest.page import page_of
from connectors.oai_pmh.harvest.record import headers
from include.engine.storage.warc import Page as Kept

Stamps = Iterable[tuple[bytes, bytes]]


@dataclass
class Progress:
    """`token` is what the list goes on with: None where no page has come, "" where it is through. `ordered`: datestamps have ascended until now.

    `size` is the completeListSize of the series' first page.
    """

    series: str
    pages: int = 0
    listed: int = 0
    lists: int = 0
    token: str | None = None
    way: str = ""
    size: int | None = None
    ordered: bool = True
    last: bytes = b""
    first: bytes = b""
    faults: int = 0
    _seen: array[int] = field(default_factory=lambda: array("Q"))
    _sorted: Any = None

    def add(self, stamps: Stamps, *, token: str | None, size: int | None, way: str) -> None:
        """A page has come."""
        for identifier, datestamp in stamps:
            self._seen.append(xxhash.xxh3_64_intdigest(identifier))
            self.ordered = self.ordered and datestamp >= self.last
            self.last, self.first = datestamp, self.first or datestamp
            self.listed += 1
        if self.pages == 0:
            self.size = size
        self.pages += 1
        self.token, self.way, self._sorted = token or "", way, None

    def begin(self) -> None:
        """A list begins, anew or for the first time."""
        self.lists += 1
        self.last, self.ordered = b"", True

    @property
    def unique(self) -> int:
        """Records, each counted once."""
        return len(np.unique(np.frombuffer(self._seen, np.uint64))) if self._seen else 0

    def has(self, identifier: bytes) -> bool:
        """Whether the record has come."""
        if self._sorted is None:
            self._sorted = np.unique(np.frombuffer(self._seen, np.uint64)) if self._seen else np.empty(0, np.uint64)
        wanted = np.uint64(xxhash.xxh3_64_intdigest(identifier))
        at = int(np.searchsorted(self._sorted, wanted))
        return at < len(self._sorted) and bool(self._sorted[at] == wanted)

    def figures(self) -> dict[str, Any]:
        """For the ledger, and for the kept pages."""
        return {
            "pages": self.pages,
            "listed": self.listed,
            "unique": self.unique,
            "complete_list_size": self.size,
            "restarts": max(0, self.lists - 1),
            "unserved": self.faults,
        }


def rebuilt(kept: Iterable[Kept], every: Iterable[str]) -> dict[str, Progress]:
    """The progress of each series, from the pages that are kept."""
    found = {series: Progress(series) for series in every}
    for one in kept:
        progress = found.get(one.fields.get("Series", ""))
        if progress is None:
            continue
        if "Fault" in one.fields:
            progress.faults += 1
            progress.add([(one.fields["Identifier"].encode(), b"")], token=None, size=None, way=one.fields["Way"])
            continue
        page = page_of(one.content, one.fields["Verb"])
        if (number := int(one.fields["List"])) != progress.lists:
            progress.begin()
            progress.lists = number
        progress.add(headers(page), token=page.token, size=page.complete_list_size, way=one.fields["Way"])
    return found
