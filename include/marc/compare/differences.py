"""Pairs of records of one key: which of their fields differ, and whether anything does that is more than bytes.

All fields of one tag in one record are one number, a digest of their indicators, codes and values in their order; two records differ in a tag where
these numbers do. So thousands of pairs are held against each other at once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from include.marc.batch import LEADER, Batch, Ints, Tags
from include.marc.iso2709 import engine

#: Positions of the leader that tell of the bytes, not of the title: length, character set, base address, directory map.
OF_BYTES = [*range(5), 9, *range(12, 17), *range(20, 24)]


@dataclass(frozen=True)
class Fields:
    """What records say: `key` int64, a record's place times 65,536 and the number of a tag; `digest` uint64 of all fields with this tag there."""

    key: Ints
    digest: Ints


def fields(batch: Batch, record: Ints, names: Tags) -> Fields:
    """The fields of a batch. `record`: a place for each of its records; `names` numbers the tags, the same for all that is compared."""
    begins = np.ones(batch.rows, np.bool_)
    begins[1:] = (batch.rec[1:] != batch.rec[:-1]) | (batch.seq[1:] != batch.seq[:-1])
    head = begins.astype(np.uint64) << np.uint64(32) | batch.code.astype(np.uint64) << np.uint64(16)
    head |= batch.ind1.astype(np.uint64) << np.uint64(8) | batch.ind2.astype(np.uint64)
    row = _mixed(_values(batch) ^ _mixed(head))
    tag = np.array([names.number(name) for name in batch.tags.names], np.int64)[batch.tag]
    key = record.astype(np.int64)[batch.rec] << 16 | tag
    order = np.argsort(key, kind="stable")
    key, row = key[order], row[order]
    first = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if len(key) else np.zeros(0, np.int64)
    nth = np.arange(len(key)) - np.repeat(first, np.diff(np.append(first, len(key))))
    digest = np.add.reduceat(_mixed(row + nth.astype(np.uint64)), first) if len(first) else row
    return Fields(key[first], digest)


def together(parts: Collection[Fields]) -> Fields:
    """As one."""
    return Fields(*(np.concatenate([np.zeros(0, kind), *(getattr(part, name) for part in parts)]) for name, kind in _COLUMNS))


_COLUMNS = (("key", np.int64), ("digest", np.uint64))


def differing(old: Fields, new: Fields, names: Tags, count: int, ignored: Collection[str] = ()) -> list[list[str]]:
    """For each of `count` pairs the tags whose fields differ, in ascending order, the leader (`LDR`) first. The order of fields counts within one tag."""
    key = np.union1d(old.key, new.key)
    before, after = np.zeros((2, len(key)), np.uint64), np.zeros((2, len(key)), np.uint64)  # whether there are any; which
    for side, found in ((before, old), (after, new)):
        place = np.searchsorted(key, found.key)
        side[0][place], side[1][place] = 1, found.digest
    tags: list[list[str]] = [[] for _ in range(count)]
    for one in key[(before != after).any(axis=0)].tolist():
        name = names.names[one & 0xFFFF]
        if name not in ignored:
            tags[one >> 16].append(name)
    return [sorted(some, key=lambda name: (name != LEADER, name)) for some in tags]


def _values(batch: Batch) -> Ints:
    """A digest of each row's value, of leaders without OF_BYTES."""
    offsets = np.frombuffer(batch.value.buffers()[1], np.int32)[batch.value.offset :][: batch.rows + 1].astype(np.int64)
    data = np.frombuffer(batch.value.buffers()[2] or b"", np.uint8).copy()
    leader = offsets[batch.first[:-1]]
    for position in OF_BYTES:
        data[leader + position] = ord(" ")
    return engine.digests(data, offsets[:-1], np.diff(offsets))


def _mixed(numbers: Ints) -> Ints:
    """Other numbers, the same for the same: the last step of SplitMix64 (Steele, Lea, Flood, 2014), so that sums of them tell sets apart."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: Ints = mixed ^ (mixed >> np.uint64(31))
    return found
