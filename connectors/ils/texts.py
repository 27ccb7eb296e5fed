"""What every reader of tables hands on: a block of records as columns of text, each row knowing where it came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TextBlock:
    """Rows of a member, before their values are read.

    `columns`: their column name -> texts (null where the file says nothing). `record`, `offset`, `length`: of each row's source record.
    `raw(row)` gives that record's original bytes. `set_aside`: rows of SET_ASIDE that could not even be cut into fields.
    `records` counts the source records of the block, read or set aside. `broken` are the columns of those in `set_aside`, as far as they can
    be told, in their order.
    """

    member: str
    columns: Mapping[str, pa.StringArray]
    record: Ints
    offset: Ints
    length: Ints
    raw: Callable[[int], bytes]
    set_aside: list[dict[str, Any]] = field(default_factory=list)
    warnings: Counter[str] = field(default_factory=Counter)
    records: int = 0
    broken: Mapping[str, pa.StringArray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.record)
