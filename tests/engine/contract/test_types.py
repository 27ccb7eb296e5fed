"""The standard's types as Arrow types."""

from __future__ import annotations

import pyarrow as pa
import pytest

from include.engine.contract.lines import line_of
from include.engine.contract.types import arrow_type


def test_logical_types_have_one_arrow_type_each() -> None:
    assert arrow_type("integer", None) == pa.int64()
    assert arrow_type("number", None) == pa.float64()
    assert arrow_type("number", "decimal(12, 2)") == pa.decimal128(12, 2)
    assert arrow_type("array", None, "string") == pa.list_(pa.string())


@pytest.mark.parametrize(("logical", "physical"), [("integer", "int7"), ("number", "money"), ("map", None), ("array", None)])
def test_a_type_that_is_not_used_here_is_refused_with_those_that_are(logical: str, physical: str | None) -> None:
    with pytest.raises(ValueError, match=r".+"):
        arrow_type(logical, physical)


def test_a_line_is_that_of_the_deepest_node_reached() -> None:
    text = "a:\n  - b: 1\n  - c:\n      d: 2\n"
    assert line_of(text, ("a", 1, "c", "d")) == 4
    assert line_of(text, ("a", 1, "x")) == 3
    assert line_of(text, ("a", 9)) == 1
    assert line_of(text, ("a", 1, "c", "d", "e")) == 4
    assert line_of("", ("a",)) == 1
