"""What the lake holds of a repository's records before a delivery: asked by identifier, many at once, in 16 bytes a record beside the columns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from include.engine.inbound.connector import Work

COLUMNS = ["prefix", "identifier", "datestamp", "sets", "deleted", "control_number", "agency"]


class Held:
    """The partner's rows of `oai_record` with this prefix, read when they are first asked for."""

    def __init__(self, work: Work, prefix: str) -> None:
        self._work, self._prefix = work, prefix

    @cached_property
    def rows(self) -> pa.Table:
        """All of them, without their metadata."""
        found = self._work.lookup("oai_record", COLUMNS)
        return found.filter(pc.equal(found.column("prefix"), self._prefix)).combine_chunks()

    @cached_property
    def _index(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
        names = self.rows.column("identifier").to_pylist()
        hashes = np.fromiter((xxhash.xxh3_64_intdigest(name.encode()) for name in names), np.uint64, len(names))
        order = np.argsort(hashes, kind="stable")
        return hashes[order], order

    def find(self, identifiers: Sequence[str]) -> list[dict[str, Any] | None]:
        """The row of each identifier, None for one that the lake does not hold."""
        hashes, order = self._index
        if not len(hashes):
            return [None] * len(identifiers)
        wanted = np.fromiter((xxhash.xxh3_64_intdigest(name.encode()) for name in identifiers), np.uint64, len(identifiers))
        at = np.minimum(np.searchsorted(hashes, wanted), len(hashes) - 1)
        hit = np.flatnonzero(hashes[at] == wanted)
        found: list[dict[str, Any] | None] = [None] * len(identifiers)
        for place, row in zip(hit.tolist(), self.rows.take(pa.array(order[at[hit]])).to_pylist(), strict=True):
            if row["identifier"] == identifiers[place]:
                found[place] = row
        return found
