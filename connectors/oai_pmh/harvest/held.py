"""What the lake holds of a repository's records before a delivery: asked by identifier, many at once, in 16 bytes a record beside the columns."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from include.engine.inbound.connector import Work

COLUMNS = ["prefix", "identifier", "datestamp", "sets", "deleted", "control_number", "agency"]
Ints = npt.NDArray[np.int64]


class Held:
    """The partner's rows of `oai_record` with this prefix, read when they are first asked for."""

    def __init__(self, work: Work, prefix: str) -> None:
        self._work, self._prefix = work, prefix

    @cached_property
    def rows(self) -> pa.Table:
        """All of them, without their metadata."""
        found = self._work.lookup("oai_record", COLUMNS)
        return found.filter(pc.equal(found.column("prefix"), self._prefix)).combine_chunks()

    def load(self) -> None:
        """Read them now: before two threads ask."""
        _ = self._index

    @cached_property
    def _index(self) -> tuple[npt.NDArray[np.uint64], Ints]:
        hashes = digests(self.rows.column("identifier"))
        order = np.argsort(hashes, kind="stable")
        return hashes[order], order

    def find(self, identifiers: pa.Array) -> Ints:
        """The number of each identifier's row in `rows`, -1 for one that the lake does not hold."""
        hashes, order = self._index
        found = np.full(len(identifiers), -1, np.int64)
        if not len(hashes) or not len(identifiers):
            return found
        wanted = digests(identifiers)
        at = np.minimum(np.searchsorted(hashes, wanted), len(hashes) - 1)
        hit = np.flatnonzero(hashes[at] == wanted)
        numbers = order[at[hit]]
        same = pc.equal(self.rows.column("identifier").take(pa.array(numbers)), identifiers.take(pa.array(hit)))
        same = np.asarray(same).astype(np.bool_)
        found[hit[same]] = numbers[same]
        return found


def digests(texts: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    """A hash of each text; none may be null."""
    return np.fromiter(map(xxhash.xxh3_64_intdigest, texts.cast(pa.binary()).to_pylist()), np.uint64, len(texts))
