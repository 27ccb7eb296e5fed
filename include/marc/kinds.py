"""What a record is a record of: a title, a name or subject, what a library has, a class of a classification.

- MARC 21: leader/06 (z; u, v, x, y; w; q is community information).
- UNIMARC: leader/06 x, y, z are authorities. A holdings record has the letters of a bibliographic one there (a to d, and u), and is
  known by its field 004, which no other UNIMARC record has (IFLA, UNIMARC Manual: Holdings Format, 3.1).
- danMARC2: an auxiliary record (hjælpepost) has 004 *x or 008 *t h (kat-format.dk, danMARC2, fields 004 and 008; annex H).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.marc.batch import Batch, Bools, Family, Ints

#: Names of kinds; a record's kind is its index here.
KINDS = ("bibliographic", "authority", "holding", "classification", "community")
LETTERS = {
    "marc21": {"z": 1, "u": 2, "v": 2, "x": 2, "y": 2, "w": 3, "q": 4},
    "unimarc": {"x": 1, "y": 1, "z": 1},
    "danmarc2": {},
}


def kinds(batch: Batch, family: Family) -> Ints:
    """For each record its kind."""
    letters = pc.utf8_slice_codeunits(batch.leaders, 6, 7).dictionary_encode()
    table = np.array([LETTERS[family].get(letter, 0) for letter in letters.dictionary.to_pylist()], np.int8)
    found: Ints = table[np.asarray(letters.indices)] if len(batch) else np.zeros(0, np.int8)
    if family == "unimarc":
        found[np.unique(batch.rec[batch.of_tag("004")])] = KINDS.index("holding")
    if family == "danmarc2":
        auxiliary = batch.first_value("004", "x").is_valid()
        said_so = pc.equal(batch.first_value("008", "t"), pa.scalar("h")).fill_null(False)
        found[np.asarray(pc.or_(auxiliary, said_so))] = KINDS.index("authority")
    return found


def is_of(batch: Batch, family: Family, table: str) -> Bools:
    """Which records belong in the table `bibliographic`, `authority` (classes of a classification too) or `holding`."""
    wanted = [KINDS.index(table), *([KINDS.index("classification")] if table == "authority" else [])]
    found: Bools = np.isin(kinds(batch, family), wanted)
    return found
