"""Expectations that Great Expectations does not ship, written as its own kind: a metric (the condition) and an expectation that names it.

They run on the pandas engine, on the frames of `gate/frame.py`: strings and lists are Arrow columns inside the frame, so that each
condition is one vectorised call. A condition on a single column never sees nulls: Great Expectations filters them out first. Where it does
not (`ignore_row_if: never`), null and the empty string both count as not given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, cast

import numpy as np
import pandas as pd
import pyarrow as pa
from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import ColumnMapExpectation, ColumnPairMapExpectation, MulticolumnMapExpectation
from great_expectations.expectations.metrics.map_metric_provider.column_condition_partial import column_condition_partial
from great_expectations.expectations.metrics.map_metric_provider.column_map_metric_provider import ColumnMapMetricProvider
from great_expectations.expectations.metrics.map_metric_provider.column_pair_condition_partial import column_pair_condition_partial
from great_expectations.expectations.metrics.map_metric_provider.column_pair_map_metric_provider import ColumnPairMapMetricProvider
from great_expectations.expectations.metrics.map_metric_provider.multicolumn_condition_partial import multicolumn_condition_partial
from great_expectations.expectations.metrics.map_metric_provider.multicolumn_map_metric_provider import MulticolumnMapMetricProvider

from include.engine.contract import checkdigits
from include.engine.contract.codes import CURRENCIES, LANGUAGES

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
#: The decorators that make a method a condition on the pandas engine
on_column: Decorator = cast(Any, column_condition_partial)(engine=PandasExecutionEngine)
on_pair: Decorator = cast(Any, column_pair_condition_partial)(engine=PandasExecutionEngine)
on_columns: Decorator = cast(Any, multicolumn_condition_partial)(engine=PandasExecutionEngine)

PAIR_DOMAIN = ("batch_id", "table", "column_A", "column_B", "row_condition", "condition_parser", "ignore_row_if")
DOMAIN = ("batch_id", "table", "column_list", "row_condition", "condition_parser", "ignore_row_if")


def _arrow(column: pd.Series[Any]) -> pa.Array:
    array = pa.Array.from_pandas(column)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _given(column: pd.Series[Any]) -> pd.Series[Any]:
    """True where there is a value: not null, and not the empty string."""
    there = column.notnull()
    return there & (column != "").fillna(False).astype(bool) if pd.api.types.is_string_dtype(column) else there


class ValuesAreIsbns(ColumnMapMetricProvider):
    condition_metric_name = "column_values.isbns"

    @on_column
    def _pandas(cls, column: Any, **_: Any) -> Any:
        return pd.Series(checkdigits.each_of_list(_arrow(column), checkdigits.isbns), index=column.index)


class ValuesAreIssns(ColumnMapMetricProvider):
    condition_metric_name = "column_values.issns"

    @on_column
    def _pandas(cls, column: Any, **_: Any) -> Any:
        return pd.Series(checkdigits.each_of_list(_arrow(column), checkdigits.issns), index=column.index)


class ValuesAreLanguageCodes(ColumnMapMetricProvider):
    condition_metric_name = "column_values.language_codes"

    @on_column
    def _pandas(cls, column: Any, **_: Any) -> Any:
        return column.isin(LANGUAGES)


class ValuesAreCurrencyCodes(ColumnMapMetricProvider):
    condition_metric_name = "column_values.currency_codes"

    @on_column
    def _pandas(cls, column: Any, **_: Any) -> Any:
        return column.isin(CURRENCIES)


class PairDiffers(ColumnPairMapMetricProvider):
    condition_metric_name = "column_pair_values.differ"
    condition_domain_keys = PAIR_DOMAIN
    condition_value_keys = ()

    @on_pair
    def _pandas(cls, column_A: Any, column_B: Any, **_: Any) -> Any:
        return column_A != column_B


class OneIsGiven(MulticolumnMapMetricProvider):
    condition_metric_name = "columns.one_given"
    condition_domain_keys = DOMAIN
    condition_value_keys = ()

    @on_columns
    def _pandas(cls, column_list: Any, **_: Any) -> Any:
        return pd.Series(np.logical_or.reduce([_given(column_list[name]) for name in column_list.columns]), index=column_list.index)


class GivenWhen(MulticolumnMapMetricProvider):
    condition_metric_name = "columns.given_when"
    condition_domain_keys = DOMAIN
    condition_value_keys = ("when",)

    @on_columns
    def _pandas(cls, column_list: Any, when: dict[str, Any], **_: Any) -> Any:
        asked = np.logical_and.reduce([(column_list[name] == value).fillna(False).astype(bool) for name, value in when.items()])
        return ~asked | _given(column_list[column_list.columns[0]])


class GivenWith(MulticolumnMapMetricProvider):
    condition_metric_name = "columns.given_with"
    condition_domain_keys = DOMAIN
    condition_value_keys = ()

    @on_columns
    def _pandas(cls, column_list: Any, **_: Any) -> Any:
        first, second = column_list.columns
        return ~_given(column_list[second]) | _given(column_list[first])


class ExpectColumnValuesToBeIsbns(ColumnMapExpectation):
    """Every string in each list is an ISBN with its right check digit."""

    map_metric: ClassVar[str] = "column_values.isbns"


class ExpectColumnValuesToBeIssns(ColumnMapExpectation):
    """Every string in each list is an ISSN with its right check digit."""

    map_metric: ClassVar[str] = "column_values.issns"


class ExpectColumnValuesToBeLanguageCodes(ColumnMapExpectation):
    """Each value is a code of ISO 639-2/B."""

    map_metric: ClassVar[str] = "column_values.language_codes"


class ExpectColumnValuesToBeCurrencyCodes(ColumnMapExpectation):
    """Each value is a code of ISO 4217."""

    map_metric: ClassVar[str] = "column_values.currency_codes"


class ExpectColumnPairValuesToDiffer(ColumnPairMapExpectation):
    """In each row the two values differ."""

    map_metric: ClassVar[str] = "column_pair_values.differ"
    domain_keys: ClassVar[tuple[str, ...]] = PAIR_DOMAIN  # type: ignore[assignment]  # the base forgets ignore_row_if
    ignore_row_if: str = "either_value_is_missing"


class ExpectOneOfColumnsToBeGiven(MulticolumnMapExpectation):
    """In each row at least one of the columns holds a value."""

    map_metric: ClassVar[str] = "columns.one_given"
    ignore_row_if: Literal["never"] = "never"


class ExpectColumnValuesToBeGivenWhen(MulticolumnMapExpectation):
    """The first column holds a value wherever the other columns hold the values in `when`."""

    map_metric: ClassVar[str] = "columns.given_when"
    success_keys: ClassVar[tuple[str, ...]] = ("mostly", "when")
    ignore_row_if: Literal["never"] = "never"
    when: dict[str, Any]


class ExpectColumnValuesToBeGivenWith(MulticolumnMapExpectation):
    """The first column holds a value wherever the second does."""

    map_metric: ClassVar[str] = "columns.given_with"
    ignore_row_if: Literal["never"] = "never"
