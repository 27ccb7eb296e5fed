"""The format of the loan file, held against itself: what is written is read back, whatever the rows."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.adhl.upload import lines, transfile
from connectors.adhl.upload.rendering import ordered
from include.engine.contract.loading import load

ROW = st.fixed_dictionaries(
    {
        "loan_date": st.dates(date(1970, 1, 1), date(2100, 1, 1)),
        "borrower": st.sampled_from([f"{number:032x}" for number in range(4)]),
        "sex": st.sampled_from(["m", "k", None]),
        "birth_year": st.one_of(st.none(), st.integers(1900, 2030)),
        "local_id": st.text("0123456789abcXYZ.:_/%", min_size=1, max_size=9),
    }
)
SCHEMA = pa.schema(
    [("loan_date", pa.date32()), ("borrower", pa.string()), ("sex", pa.string()), ("birth_year", pa.int16()), ("local_id", pa.string())]
)


def table(rows: list[dict]) -> pa.Table:
    return pa.Table.from_pylist(rows, SCHEMA)


def read(content: bytes) -> list[lines.Line]:
    assert not content or content.endswith(b"\n")
    return [lines.parse(line) for line in content.decode("ascii").splitlines()]


def loans(found: list[lines.Line]) -> Counter:
    return Counter((one.loan_date, one.borrower, one.sex, one.birth_year, title) for one in found for title in one.local_ids)


@given(rows=st.lists(ROW, max_size=40), many=st.booleans())
def test_every_loan_is_in_the_file_as_often_as_it_is_in_the_rows(rows: list[dict], many: bool) -> None:
    assert loans(read(lines.render(table(rows), many_titles=many))) == Counter(tuple(row[name] for name in lines.COLUMNS) for row in rows)


@given(rows=st.lists(ROW, max_size=40))
def test_one_title_is_a_line_a_loan_and_many_titles_a_line_a_borrower_and_day(rows: list[dict]) -> None:
    one, many = (read(lines.render(table(rows), many_titles=form)) for form in (False, True))
    assert len(one) == len(rows) and all(len(line.local_ids) == 1 for line in one)
    keys = [(line.loan_date, line.borrower, line.sex, line.birth_year) for line in many]
    assert len(keys) == len(set(keys)) == len({tuple(row[name] for name in lines.COLUMNS[:4]) for row in rows})


@given(rows=st.lists(ROW, max_size=30), many=st.booleans(), seed=st.randoms())
def test_the_file_does_not_tell_in_which_order_the_loans_came(rows: list[dict], many: bool, seed) -> None:
    before = lines.render(table(rows), many_titles=many)
    seed.shuffle(rows)
    assert lines.render(table(rows), many_titles=many) == before


@given(rows=st.lists(ROW, min_size=1, max_size=40), most=st.integers(1, 10), many=st.booleans())
def test_rows_that_are_sorted_some_days_at_a_time_give_the_same_file(rows: list[dict], most: int, many: bool) -> None:
    def stream() -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(SCHEMA, table(rows).to_batches(max_chunksize=7))

    whole = lines.render(table(rows), many_titles=many)
    assert b"".join(lines.render(part, many_titles=many) for part in ordered(stream, most)) == whole


def test_a_slice_of_a_table_is_written_like_any_other() -> None:
    rows = table(
        [
            {"loan_date": date(2009, 1, number), "borrower": "a", "sex": "k", "birth_year": 1984, "local_id": str(number)}
            for number in range(1, 9)
        ]
    )
    assert lines.render(rows.slice(3, 2), many_titles=False) == b"20090104,a,k,1984,4\n20090105,a,k,1984,5\n"


def test_the_lines_are_those_of_the_specification() -> None:
    known = {"loan_date": date(2009, 1, 30), "borrower": "b", "sex": "m", "birth_year": 1984}
    rows = table([known | {"local_id": "12345678"}, known | {"local_id": "23456789"}])
    assert lines.render(rows, many_titles=True) == b"20090130,b,m,1984,12345678,23456789\n"
    assert lines.parse("20080507,1111111118,,,12345678,23456789").local_ids == ("12345678", "23456789")


BROKEN = """\

20090130,b,m,1984,
2009130,b,m,1984,1
20090130,b,x,1984,1
20090130,b b,m,1984,1
20091330,b,m,1984,1
20090130,b,m,84,1
20090130,b,m,1984,1-2
"""


@pytest.mark.parametrize("line", BROKEN.splitlines())
def test_what_is_no_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"line|month|day"):
        lines.parse(line)


def test_the_contract_has_the_columns_of_a_line_and_no_identity() -> None:
    contract = load("adhl_loan")
    assert tuple(column.name for column in contract.columns) == lines.COLUMNS
    assert not contract.identity


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "intet indhold"),
        (b"b=x,f=a.pgp\n", "mangler slut-linje"),
        (b"b=x\nslut\n", "Datafil angivelse mangler"),
        (b"slut\n", "Datafil angivelse mangler"),
        (b"f=a b\nslut\n", "ulovlige tegn"),
        (b"f=a.pgp,x=1\nslut\n", "ukendt"),
    ],
)
def test_a_transfile_that_posthus_would_refuse_is_refused_in_its_words(content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        transfile.parse(content)
