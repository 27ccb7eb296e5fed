"""Arrow -> the pandas frame that Great Expectations judges, in the types that it judges quickly.

Only columns that a rule names are taken. Its `between` is vectorised for int64, float64 and datetime64[ns] alone (any other type goes value
by value), so numbers and days become those; strings, truths and lists stay the Arrow arrays that they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from include.engine.contract.model import Contract, Rule

#: The last day that a datetime64[ns] can hold: 2262-04-11, in days since 1970. Later days ("9999-12-31") are compared as this one.
LAST_DAY, FIRST_DAY = 106_751, -106_751


def columns_of(rules: Sequence[Rule]) -> tuple[str, ...]:
    """The columns that the row rules name, in the order of their first mention."""
    named = (name for rule in rules if rule.scope == "row" for name in (rule.columns or ((rule.column,) if rule.column else ())))
    return tuple(dict.fromkeys(named))


def frame(batch: pa.RecordBatch, contract: Contract, columns: Sequence[str]) -> pd.DataFrame:
    """`columns` of the batch, with row positions from 0 as its index. An empty string in a key counts as null."""
    made = {name: _series(_keyed(batch.column(name), contract.column(name).key)) for name in columns}
    return pd.DataFrame(made, index=pd.RangeIndex(batch.num_rows), copy=False)


def _keyed(array: pa.Array, key: bool) -> pa.Array:
    if key and pa.types.is_string(array.type):
        empty = pc.equal(array, "")
        return pc.if_else(empty, pa.scalar(None, pa.string()), array) if pc.any(empty).as_py() else array
    return array


def _series(array: pa.Array) -> pd.Series:
    type = array.type
    if pa.types.is_date(type):
        days = pc.max_element_wise(pc.min_element_wise(array.cast(pa.int32()), LAST_DAY, skip_nulls=False), FIRST_DAY, skip_nulls=False)
        return pd.Series(days.cast(pa.int32()).cast(pa.date32()).cast(pa.timestamp("ns")).to_numpy(zero_copy_only=False))
    if pa.types.is_timestamp(type):
        return pd.Series(array.to_pandas())
    if pa.types.is_integer(type):
        wide = array.cast(pa.float64(), safe=False) if array.null_count else array.cast(pa.int64())
        return pd.Series(wide.to_numpy(zero_copy_only=False))
    if pa.types.is_decimal(type) or pa.types.is_floating(type):
        return pd.Series(array.cast(pa.float64()).to_numpy(zero_copy_only=False))
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([array])))
