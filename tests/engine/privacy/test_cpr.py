"""Sex and year of birth out of CPR numbers, held against the rule written out for one number."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engine import clock
from include.engine.privacy.cpr import sex_and_year


def century(year: int, seventh: int) -> int:
    """CPR-kontoret's table, row by row."""
    if seventh <= 3:
        return 1900
    if seventh in (4, 9):
        return 2000 if year <= 36 else 1900
    return 2000 if year <= 57 else 1800


@given(born=st.dates(date(1900, 1, 1), date(2057, 12, 31)), serial=st.integers(0, 9999), replaced=st.booleans(), hyphen=st.booleans())
def test_every_number_tells_its_year_and_sex_with_or_without_modulus_11(born: date, serial: int, replaced: bool, hyphen: bool) -> None:
    year = century(born.year % 100, serial // 1000) + born.year % 100
    day = born.day + 60 * replaced
    number = f"{day:02}{born.month:02}{born.year % 100:02}{'-' if hyphen else ''}{serial:04}"
    sexes, years = sex_and_year(pa.array([number]))
    if (born.month, born.day) == (2, 29) and (year % 4 or (year % 100 == 0 and year % 400)):
        assert years.to_pylist() == [None]
    elif year <= clock.now().year:
        assert (sexes.to_pylist(), years.to_pylist()) == (["m" if serial % 2 else "k"], [year])
    else:
        assert (sexes.to_pylist(), years.to_pylist()) == ([None], [None])


def test_what_is_no_cpr_number_tells_nothing_and_its_neighbours_do() -> None:
    values = [None, "", "no number", "3113991234", "0113991234", "010190444", "0101904440", "19900101-1234", "010190 4441"]
    sexes, years = sex_and_year(pa.chunked_array([values[:3], values[3:]]))
    assert sexes.to_pylist() == [None] * 6 + ["k", None, "m"]
    assert years.to_pylist() == [None] * 6 + [1990, None, 1990]


@pytest.mark.parametrize("values", [[], [None, None]])
def test_nothing_is_nothing(values: list[None]) -> None:
    sexes, years = sex_and_year(pa.array(values, pa.string()))
    assert sexes.to_pylist() == years.to_pylist() == values
