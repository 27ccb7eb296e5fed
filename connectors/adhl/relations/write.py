"""A release as files: two Parquet tables for everyone, and an index that the service maps into memory.

index/: pid.npy (titles' pids, sorted bytes), strongest.npy (the level of each one's strongest relation), first.npy and related.npy (title i's nearest are
related[first[i]:first[i + 1]]), level.npy (of each of those), top.npy (titles by all their relations, the most borrowed first), text.arrow (title
and creator). All of it follows from the tables.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from connectors.adhl.relations.borrowed import Ids
from connectors.adhl.relations.edges import Levels
from connectors.adhl.relations.released import Released
from connectors.adhl.relations.tables import RELATION, TITLE

_ROW_GROUP = 1_000_000
_LEVEL_BITS = 7  # levels stay under 128
_ID_BITS = 24
MOST_TITLES = 1 << _ID_BITS
TOP = 1000
"""Titles kept ready for topTenRequest."""


def write(released: Released, folder: Path, least: npt.NDArray[np.int64], related: int) -> None:
    """Write all files below `folder`; `related` titles are kept in the index for each."""
    _tables(released, folder, least)
    index = folder / "index"
    index.mkdir()
    pids = released.titles["pid"].to_pylist()
    np.save(index / "pid.npy", np.array([pid.encode() for pid in pids], dtype=np.bytes_) if pids else np.zeros(0, "S1"))
    weight = weights(released, least)
    first, others, level = nearest(released, weight, related)
    np.save(index / "first.npy", first)
    np.save(index / "related.npy", others)
    np.save(index / "level.npy", level)
    np.save(index / "top.npy", top(weight))
    np.save(index / "strongest.npy", strongest(released))
    texts = released.titles.select(["title", "creator"]).combine_chunks()
    with pa.OSFile(str(index / "text.arrow"), "wb") as sink, pa.ipc.new_file(sink, texts.schema) as writer:
        writer.write_table(texts, max_chunksize=max(1, texts.num_rows))


def _tables(released: Released, folder: Path, least: npt.NDArray[np.int64]) -> None:
    stands_for = np.concatenate([[0], least])
    ids = np.arange(released.titles.num_rows, dtype=np.int32)
    title = pa.table(
        [
            pa.array(ids),
            *(released.titles[name].combine_chunks() for name in ("pid", "title", "creator")),
            pa.array(stands_for[strongest(released)]),
        ],
        schema=TITLE,
    )
    relation = pa.table(
        [released.first, released.second, released.relation.astype(np.int16), stands_for[released.relation]],
        schema=RELATION,
    )
    for name, table in {"title": title, "relation": relation}.items():
        (folder / name).mkdir()
        pq.write_table(table, folder / name / "part-0.parquet", compression="zstd", row_group_size=_ROW_GROUP)


def strongest(released: Released) -> Levels:
    """The level of each title's strongest relation: at least so many patrons borrowed the title."""
    found = np.zeros(released.titles.num_rows, np.uint8)
    np.maximum.at(found, released.first, released.relation)
    np.maximum.at(found, released.second, released.relation)
    return found


def weights(released: Released, least: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How much each title is borrowed, as far as its relations tell: the patrons that they stand for, added up."""
    stands_for = np.concatenate([[0], least])[released.relation]
    ends = (np.bincount(end, stands_for, released.titles.num_rows) for end in (released.first, released.second))
    found: npt.NDArray[np.int64] = sum(ends, np.zeros(released.titles.num_rows)).astype(np.int64)
    return found


def nearest(released: Released, weight: npt.NDArray[np.int64], most: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], Levels]:
    """(first, related, level): each title's relations, at most `most`, the strongest first.

    Of one level, those come first that are less borrowed themselves: they are nearer to this title than to all. Then by pid. Nothing
    but what is released decides, so the order gives away no more than the tables do.
    """
    titles = released.titles.num_rows
    if titles > MOST_TITLES:
        raise ValueError(f"{titles:,} titles are more than the index has room for")
    band = (2 * np.log2(np.maximum(weight, 1))).astype(np.int64)  # half a power of two: under 128 for any number
    ends = ((released.first, released.second), (released.second, released.first))
    key = np.concatenate([_key(one, other, released.relation, band) for one, other in ends])
    key.sort()
    owner = (key >> (2 * _LEVEL_BITS + _ID_BITS)).astype(np.int32)
    begin = np.searchsorted(owner, np.arange(titles + 1))
    keep = np.arange(len(key)) - begin[owner] < most
    key, owner = key[keep], owner[keep]
    first = np.searchsorted(owner, np.arange(titles + 1)).astype(np.int64)
    level = (2**_LEVEL_BITS - 1 - ((key >> (_LEVEL_BITS + _ID_BITS)) & (2**_LEVEL_BITS - 1))).astype(np.uint8)
    return first, (key & (MOST_TITLES - 1)).astype(np.int32), level


def _key(title: Ids, related: Ids, level: Levels, band: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Everything that orders one relation of `title` in one number: title, level falling, how much the other is borrowed, the other."""
    falling = 2**_LEVEL_BITS - 1 - level.astype(np.int64)
    key = (title.astype(np.int64) << _LEVEL_BITS) | falling
    whole: npt.NDArray[np.int64] = (((key << _LEVEL_BITS) | band[related]) << _ID_BITS) | related
    return whole


def top(weight: npt.NDArray[np.int64]) -> Ids:
    """The most borrowed titles, then by pid."""
    return np.argsort(-weight, kind="stable")[:TOP].astype(np.int32)
