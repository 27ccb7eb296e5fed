"""What is released: the levels of pairs of titles, as the release before has them or higher, never lower. All else follows from those."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.adhl.relations.borrowed import Ids
from connectors.adhl.relations.count import Pairs
from connectors.adhl.relations.edges import Levels, Secret, levels, names
from connectors.adhl.relations.settings import Settings

Keys = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Released:
    """`titles`: pid, title, creator in the order of the pids, each with a relation. `relation`: the level of each pair, by (first, second)."""

    titles: pa.Table
    first: Ids
    second: Ids
    relation: Levels


EMPTY = Released(
    pa.schema([(name, pa.string()) for name in ("pid", "title", "creator")]).empty_table(),
    np.zeros(0, np.int32),
    np.zeros(0, np.int32),
    np.zeros(0, np.uint8),
)


def release(titles: pa.Table, pairs: Pairs, before: Released, secret: Secret, settings: Settings) -> Released:
    """The next release: the level of each number of patrons behind its secret edge, or that of the release `before` where it is higher.

    titles: pid, title, creator in the order of the pids, places in which `pairs` are.
    """
    name = np.zeros(titles.num_rows, np.uint64)
    maybe = np.unique(np.concatenate([pairs.first, pairs.second]))
    name[maybe] = names(titles["pid"].take(pa.array(maybe)).to_pylist())
    relation = levels(pairs.patrons, secret.offsets(name[pairs.first], name[pairs.second]), settings)
    shown = relation > 0
    first, second, relation = pairs.first[shown], pairs.second[shown], relation[shown]
    known = np.zeros(titles.num_rows, np.bool_)
    known[first] = True
    known[second] = True
    place = np.cumsum(known, dtype=np.int32) - 1
    now = Released(titles.filter(pa.array(known)), place[first], place[second], relation)
    return merged(before, now, titles) if before.titles.num_rows else now


def merged(before: Released, now: Released, known: pa.Table) -> Released:
    """Both together, each relation at the higher of its two levels.

    What a title is called is what the catalogues (`known`: pid, title, creator) say today, whether or not it has a relation that they would show
    today: a name that stayed as it was would tell that its readers have gone.
    """
    pids = pc.unique(pa.chunked_array([before.titles["pid"].combine_chunks(), now.titles["pid"].combine_chunks()]))
    pids = pids.take(pc.sort_indices(pids))
    old, new = (np.asarray(pc.index_in(one.titles["pid"].combine_chunks(), value_set=pids), np.int32) for one in (before, now))
    texts = {}
    for name in ("title", "creator"):
        at = [pc.index_in(pids, value_set=one["pid"].combine_chunks()) for one in (known, before.titles)]
        said = (one[name].combine_chunks().take(where) for one, where in zip((known, before.titles), at, strict=True))
        texts[name] = pc.coalesce(*said)
    keys = np.concatenate([_keys(old[before.first], old[before.second]), _keys(new[now.first], new[now.second])])
    both = np.concatenate([before.relation, now.relation])
    order = np.argsort(keys, kind="stable")
    keys, both = keys[order], both[order]
    starts = np.flatnonzero(np.concatenate([np.ones(min(1, len(keys)), np.bool_), keys[1:] != keys[:-1]]))
    highest = np.maximum.reduceat(both, starts) if len(starts) else both
    kept = keys[starts]
    return Released(pa.table({"pid": pids, **texts}), (kept >> 32).astype(np.int32), (kept & 0xFFFFFFFF).astype(np.int32), highest)


def _keys(first: Ids, second: Ids) -> Keys:
    return (first.astype(np.int64) << 32) | second.astype(np.int64)


def read_released(folder: Path) -> Released:
    """The release that lies in a snapshot's folder."""
    titles = pq.read_table(folder / "title" / "part-0.parquet")
    pairs = pq.read_table(folder / "relation" / "part-0.parquet", columns=["title_id", "related_id", "level"])
    return Released(
        titles.select(["pid", "title", "creator"]).combine_chunks(),
        np.asarray(pairs["title_id"]),
        np.asarray(pairs["related_id"]),
        np.asarray(pairs["level"]).astype(np.uint8),
    )
