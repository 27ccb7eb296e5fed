"""Identity numbers are found however they are written; other numbers are left alone."""

from __future__ import annotations

import random
from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import isbn, luhn
from stdnum.be import nn
from stdnum.dk import cpr
from stdnum.nl import bsn
from stdnum.se import personnummer

from include.engine.privacy.numbers import KINDS, find, kind_of


def kinds(*values: str | None, **options: bool) -> list[str | None]:
    return list(kind_of(pa.array(values, pa.string()), **options).to_pylist())


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("010190-1234", "cpr"),
        ("0101901234", "cpr"),
        ("010190 1234", "cpr"),
        ("010190–1234", "cpr"),  # a dash, as word processors make of it
        ("010190\u00a01234", "cpr"),
        ("290200-4000", "cpr"),  # 2000 had a 29 February
        ("Lånt af Jens (010190-1234), se sagen", "cpr"),
        ("låner:010190-1234.", "cpr"),
        ("670190-1234", "cpr"),  # a replacement number: 60 added to the day
        ("900101-1239", "personnummer"),
        ("19900101-1239", "personnummer"),
        ("199001011239", "personnummer"),
        ("900101+1239", "personnummer"),
        ("BSN 111222333", "bsn"),
        ("bsn: 1112.22.333", "bsn"),
        ("sofinummer 111 222 333", "bsn"),
        ("111222333", "bsn"),
        ("85.07.30-033.28", "rijksregisternummer"),
        ("850730-033.28", "rijksregisternummer"),
        ("850730 03328", "rijksregisternummer"),
        ("85073003328", "rijksregisternummer"),
        ("20000000000006", "card"),
    ],
)
def test_an_identity_number_is_found_as_people_write_it(text: str, kind: str) -> None:
    assert kinds(text) == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "310290-1234",  # no 31 February
        "290201-4000",  # 2001 had no 29 February
        "010190-12345",
        "1010190-1234",
        "311236-5234",  # born in 2036
        "9788702123456",
        "978-8702123456",
        "978-87-02-12345-6",
        "ISBN 0101901234",
        "tlf. 0101901234",
        "+450101901234",
        "EAN: 0101901234",
        "+4501019012",
        "0101901234.50",
        "pris 12.50",
        "x0101901234",
        "3f2a0101901234bc",
        "2019-2020",
        "12.04.1998-13.05.1999",
        "556012-5790",  # a Swedish organisation number
        "550101-1230",  # not its Luhn digit
        "kode 111222333 på hylden",
        "BSN 111222334",
        "000000000",
        "85.07.30-033.29",
        "30000000000007",  # the barcode of an item
        "20000000000000",
        "",
    ],
)
def test_another_number_is_left_alone(text: str) -> None:
    assert kinds(text) == [None]


def test_a_ten_digit_isbn_is_no_replacement_number() -> None:
    danish = [number for number in (f"871190{last:04d}" for last in range(2000)) if isbn.is_valid(number)]
    assert len(danish) > 100
    assert set(kinds(*danish)) == {None}


def test_a_number_without_modulus_11_is_found_too() -> None:
    assert cpr.checksum("0101901234") != 0
    assert kinds("0101901234", "010190-1234") == ["cpr", "cpr"]


@given(st.dates(date(1937, 1, 1), date(1999, 12, 31)), st.integers(0, 3999))
def test_every_cpr_number_of_a_living_person_of_the_last_century_is_found(born: date, number: int) -> None:
    text = f"{born:%d%m%y}-{number:04d}"
    assert kinds(text)[0] in {"cpr", "personnummer"}
    assert kinds(text.replace("-", ""))[0] in {"cpr", "personnummer"}


@given(st.dates(date(1900, 1, 1), date(2025, 12, 31)), st.integers(0, 999))
def test_what_stdnum_makes_of_the_swedish_and_belgian_rules_agrees(born: date, number: int) -> None:
    nine = f"{born:%y%m%d}{number:03d}"
    swedish = nine + luhn.calc_check_digit(nine)
    if personnummer.is_valid(swedish):
        assert "personnummer" in kinds(f"{swedish[:6]}-{swedish[6:]}")
    if 0 < number < 999:
        base = int(nine) if f"{born:%Y}" < "2000" else int("2" + nine)
        belgian = f"{nine}{97 - base % 97:02d}"
        assert nn.is_valid(belgian)
        assert kinds(belgian) == ["rijksregisternummer"]


@given(st.integers(10_000_000, 999_999_999))
def test_a_named_bsn_is_found_exactly_when_it_passes_the_eleven_test(number: int) -> None:
    text = f"{number:09d}"
    assert (kinds(f"BSN: {text}") == ["bsn"]) == (bsn.is_valid(text) and len(set(text)) > 1)


def test_random_ten_digit_numbers_are_taken_for_persons_one_time_in_ten_at_most() -> None:
    numbers = random.Random(1)
    values = pa.array([f"{numbers.randrange(10**10):010d}" for _ in range(50_000)])
    share = len(find(values).row) / len(values)
    assert 0.02 < share < 0.1
    assert len(find(values, signed=True).row) == 0


def test_only_signed_numbers_count_where_asked() -> None:
    assert kinds("0101901234", "010190-1234", "870970-1234", "900101-1239", "85073003328", signed=True) == [
        None,
        "cpr",
        None,
        "personnummer",
        None,
    ]


def test_only_the_kinds_asked_for_are_looked_for() -> None:
    assert kind_of(pa.array(["010190-1234", "85073003328"]), ["cpr"]).to_pylist() == ["cpr", None]


def test_all_numbers_of_a_value_are_found_at_their_places() -> None:
    found = find(pa.array([None, "æ 010190-1234 og 0202911234", "", "030392-1234"]))
    assert found.row.tolist() == [1, 1, 3]
    assert [(a, b) for a, b in zip(found.start.tolist(), found.end.tolist(), strict=True)] == [(3, 14), (18, 28), (0, 11)]
    assert {KINDS[kind] for kind in found.kind} == {"cpr"}


def test_digits_at_the_edge_of_two_rows_are_not_one_number() -> None:
    assert kinds("010190", "1234", "01019", "01234") == [None] * 4
    assert kinds("010190-", "1234") == [None, None]


def test_slices_pieces_and_dictionaries_are_read_alike() -> None:
    values = pa.array(["x", "010190-1234", None, "010190-1234"])
    assert kind_of(values[1:]).to_pylist() == ["cpr", None, "cpr"]
    assert kind_of(pa.chunked_array([values[:1], values[1:]])).to_pylist() == [None, "cpr", None, "cpr"]
    assert kind_of(values.dictionary_encode()).to_pylist() == [None, "cpr", None, "cpr"]
    assert kind_of(pa.array([], pa.string())).to_pylist() == []


@given(st.lists(st.text(max_size=30), max_size=10))
def test_any_text_can_be_searched(values: list[str]) -> None:
    found = find(pa.array(values, pa.string()))
    assert len(found.row) == len(found.start) == len(found.end) == len(found.kind)
