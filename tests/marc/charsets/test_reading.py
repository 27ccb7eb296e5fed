"""What a record says of its character set, and what its bytes say; whose word counts, and what is said of it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.marc.batch import Family
from include.marc.charsets import NAMES, Texts, declared, decode

UTF8, MARC8, LATIN1, ISO5426, DANMARC2 = (NAMES.index(name) for name in ("utf-8", "marc-8", "iso-8859-1", "iso-5426", "danmarc2"))


def read(
    values: list[tuple[int, bytes]], says: list[int], *, family: Family = "marc21", overrule: bool = True, replace: bool = False
) -> Texts:
    """Values as (record, bytes)."""
    return decode(
        pa.array([value for _, value in values], pa.binary()),
        np.array([record for record, _ in values], np.int32),
        np.array(says, np.uint8),
        family=family,
        overrule=overrule,
        replace=replace,
    )


def coding(codes: str) -> np.ndarray:
    return np.frombuffer(codes.encode(), np.uint8)


def test_marc_21_says_it_in_leader_09() -> None:
    none = pa.nulls(3, pa.binary())
    assert [NAMES[number] for number in declared(coding("a x"), none, "marc21")] == ["utf-8", "marc-8", "marc-8"]


@pytest.mark.parametrize(
    ("codes", "charset"),
    [
        ("50  ", "utf-8"),
        ("5050", "utf-8"),
        ("0103", "iso-5426"),
        ("01  ", "utf-8"),
        ("0102", "unimarc-cyrillic"),
        ("0105", "unimarc-greek"),
        ("", "utf-8"),
    ],
)
def test_unimarc_says_it_in_100_a(codes: str, charset: str) -> None:
    general = pa.array([f"20260101d2026    m  y0frey{codes}    ba"[:26].encode() + codes.encode(), None], pa.binary())
    assert [NAMES[number] for number in declared(coding("  "), general, "unimarc")] == [charset, "utf-8"]


def test_danmarc2_says_nothing_and_is_taken_for_its_own_set_or_utf_8() -> None:
    assert [NAMES[number] for number in declared(coding(" a"), pa.nulls(2, pa.binary()), "danmarc2")] == ["danmarc2", "utf-8"]
    found = read([(0, b"\xe6 @00E6"), (1, "æ".encode())], [DANMARC2, DANMARC2], family="danmarc2")
    assert (found.value.to_pylist(), found.charset.tolist(), found.repaired) == (["æ æ", "æ"], [DANMARC2, UTF8], {})


def test_utf_8_that_says_marc_8_is_read_as_utf_8_and_said() -> None:
    found = read([(0, b"\xe2e"), (1, "æ".encode()), (1, "ø".encode()), (2, b"\xc3\xa6"), (2, b"\xb2")], [MARC8] * 3)
    assert found.value.to_pylist() == ["é", "æ", "ø", "©Œ", "ø"]  # one value that is no UTF-8 speaks against it for the whole record
    assert found.charset.tolist() == [MARC8, UTF8, MARC8]
    assert found.repaired == {1: (("MARC_UTF8_DECLARED_MARC8", None),)}
    assert found.refused == {}


def test_marc_8_that_says_utf_8_is_read_as_marc_8_and_said() -> None:
    found = read([(0, "é".encode()), (1, b"Caf\xe2e"), (1, b"\xa5bler"), (1, b"abc")], [UTF8] * 2)
    assert found.value.to_pylist() == ["é", "Café", "Æbler", "abc"]
    assert found.repaired == {1: (("MARC_MARC8_DECLARED_UTF8", None),)}
    assert found.charset.tolist() == [UTF8, MARC8]


def test_latin_1_that_says_utf_8_is_not_taken_for_marc_8() -> None:
    found = read([(0, "gebøren Sjælland én".encode("latin-1"))], [UTF8])
    assert (found.refused[0][0], found.repaired) == ("MARC_CHARSET_WRONG", {})


def test_unimarc_that_says_the_wrong_set_is_read_by_its_bytes() -> None:
    found = read([(0, b"\xc2et\xc2e"), (1, "été".encode())], [UTF8, ISO5426], family="unimarc")
    assert found.value.to_pylist() == ["été", "été"]
    assert found.repaired == {0: (("MARC_ISO5426_DECLARED_UTF8", None),), 1: (("MARC_UTF8_DECLARED_OTHER", "iso-5426"),)}


def test_a_set_that_the_caller_names_is_not_overruled() -> None:
    found = read([(0, "æ".encode())], [LATIN1], overrule=False)
    assert (found.value.to_pylist(), found.repaired) == (["Ã¦"], {})


def test_what_cannot_be_read_refuses_its_record_or_is_replaced_and_said() -> None:
    values = [(0, b"\xff"), (1, b"\xe2e")]
    assert list(read(values, [MARC8] * 2).refused) == [0]
    found = read(values, [MARC8] * 2, replace=True)
    assert (found.value.to_pylist(), found.refused) == (["�", "é"], {})
    assert found.repaired[0] == (("MARC_CHARACTER_REPLACED", "not marc-8: 1 of its characters"),)


def test_an_escape_speaks_against_utf_8() -> None:
    found = read([(0, b"\x1b(2`\x1b(B"), (0, b"x \xc3\xa6")], [MARC8])
    assert found.charset.tolist() == [MARC8]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=8).map(lambda value: value.replace(b"\x1f", b""))), max_size=8), st.booleans()
)
def test_no_bytes_make_it_fail_and_every_value_has_its_text(values: list[tuple[int, bytes]], replace: bool) -> None:
    for family, says in (("marc21", [UTF8, MARC8] * 2), ("unimarc", [UTF8, ISO5426] * 2), ("danmarc2", [DANMARC2, UTF8] * 2)):
        found = read(sorted(values), says, family=family, replace=replace)
        assert len(found.value) == len(values)
        assert set(found.refused) | set(found.repaired) <= {record for record, _ in values}
        assert not (replace and found.refused)
