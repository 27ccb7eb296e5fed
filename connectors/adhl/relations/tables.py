"""The two tables of a release, as they lie in Parquet; the contracts `adhl_title` and `adhl_relation` say the same to people and to the gate.

No exact number of patrons is in them: `at_least` is the least that a relation's level stands for, the same for all of the level; a title has that of
its strongest relation. Nothing is published of a title but what its relations say: decisions/adhl-relations-release.md tells why.
"""

from __future__ import annotations

import pyarrow as pa

TITLE = pa.schema(
    [
        pa.field("title_id", pa.int32(), nullable=False),
        pa.field("pid", pa.string(), nullable=False),
        pa.field("title", pa.string()),
        pa.field("creator", pa.string()),
        pa.field("at_least", pa.int64(), nullable=False),
    ]
)
RELATION = pa.schema(
    [
        pa.field("title_id", pa.int32(), nullable=False),
        pa.field("related_id", pa.int32(), nullable=False),
        pa.field("level", pa.int16(), nullable=False),
        pa.field("at_least", pa.int64(), nullable=False),
    ]
)
TABLES = {"title": TITLE, "relation": RELATION}
SHAPE = "1"
"""Raise it when the meaning of the tables or of the index changes: it makes the next release anew at an unchanged lake."""
