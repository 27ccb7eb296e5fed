"""Great Expectations, asked once a chunk: which rows break which rule. No value of a row is in its answer.

COMPLETE with `exclude_unexpected_values` gives row positions alone; BASIC, SUMMARY and COMPLETE as they come would keep the values.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from typing import Any

import great_expectations as gx
import numpy as np
import numpy.typing as npt
import pandas as pd
from great_expectations.data_context.types.base import ProgressBarsConfig

from include.engine.errors import BinderyError
from include.engine.gate import fingerprint, remembered
from include.engine.gate.remembered import remembering

RESULT_FORMAT: dict[str, Any] = {
    "result_format": "COMPLETE",
    "exclude_unexpected_values": True,
    "partial_unexpected_count": 0,
    "return_unexpected_index_query": False,
    "include_unexpected_rows": False,
}
NO_ROWS = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Answer:
    """What Great Expectations says of one rule: whether it is kept, rows checked (nulls are not), positions of the rows that break it."""

    success: bool
    checked: int
    positions: npt.NDArray[np.int64]


@cache
def _batch_definition() -> Any:
    """One ephemeral context a process; frames are handed to it one by one."""
    fingerprint.install()
    remembered.install()
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context.data_sources.add_pandas("gate").add_dataframe_asset("rows").add_batch_definition_whole_dataframe("rows")


def judge(frame: pd.DataFrame, suite: gx.ExpectationSuite, name: str) -> dict[str, Answer]:
    """The answer to every expectation of the suite, by the rule's id in its `meta`; `name` is the frame's fingerprint.

    BinderyError when an expectation could not be evaluated at all; it names the rule, and never repeats the exception's own words, which
    may quote a value.
    """
    frame.attrs[fingerprint.ATTRIBUTE] = name
    batch = _batch_definition().get_batch(batch_parameters={"dataframe": frame})
    answers: dict[str, Answer] = {}
    with remembering():
        results = batch.validate(suite, result_format=RESULT_FORMAT).results
    for result in results:
        rule = result.expectation_config.meta["rule"]
        figures = result.result
        if "element_count" not in figures:
            kind = result.expectation_config.type
            raise BinderyError(f"rule {rule} could not be evaluated ({kind})", where=name, do="Look at the rule and its column's type.")
        checked = figures["element_count"] - (figures.get("missing_count") or 0)
        not_null = result.expectation_config.type == "expect_column_values_to_not_be_null"
        positions = figures.get("unexpected_index_list") or NO_ROWS
        answers[rule] = Answer(
            success=bool(result.success),
            checked=figures["element_count"] if not_null else checked,
            positions=np.asarray(positions, dtype=np.int64),
        )
    return answers
