"""Damaged text: each fault has its reason, its good neighbours are delivered, its original bytes are kept (read_all checks these)."""

from __future__ import annotations

import csv
import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.ils import delimited
from connectors.ils.profile import build
from include.engine.errors import Refused
from include.engine.reasons import reason
from tests.connectors.ils.reading import HEADER, Result, loans, plain, read_all

FIRST = b"1,10,100,2026-01-02 10:00:00,2026-02-01,,0,MAIN\n"
LAST = b"9,90,900,2026-01-03 10:00:00,2026-02-02,,1,MAIN\n"


def ids(result: Result) -> list[str]:
    return [row["loan_id"] for row in result.rows["loan"]]


def between(damaged: bytes) -> Result:
    """A damaged stretch between two good rows, which must both come through."""
    result = loans(HEADER + FIRST + damaged + LAST)
    assert ids(result)[0] == "1"
    assert ids(result)[-1] == "9"
    for code in result.reasons:
        assert reason(code).kind == "record"
    return result


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    result = loans(b"\xef\xbb\xbf" + HEADER + FIRST)
    assert ids(result) == ["1"]
    assert result.rows["loan"][0]["_offset"] == 3 + len(HEADER)


def test_latin_1_declared_as_utf_8_costs_only_its_own_record() -> None:
    result = between("5,50,500,2026-01-02 10:00:00,2026-02-01,,0,Højbjerg\n".encode("latin-1"))
    assert result.reasons == ["CHARSET_WRONG"]


def test_a_nul_costs_only_its_own_record() -> None:
    assert between(b"5,50,500,2026-01-02 10:00:00,2026-02-01,,0,MA\0IN\n").reasons == ["NUL_IN_TEXT"]


def test_line_ends_may_be_mixed() -> None:
    result = loans(HEADER.replace(b"\n", b"\r\n") + FIRST.replace(b"\n", b"\r\n") + LAST)
    assert ids(result) == ["1", "9"]
    assert [row["_length"] for row in result.rows["loan"]] == [len(FIRST) + 1, len(LAST)]


def test_a_carriage_return_inside_a_field_is_no_line_end() -> None:
    result = between(b"5,50,500,2026-01-02 10:00:00,2026-02-01,,0,MA\rIN\n")
    assert result.rows["loan"][1]["lending_branch"] == "MA\rIN"


def test_a_file_of_an_old_mac_has_lines_too() -> None:
    assert ids(loans((HEADER + FIRST + LAST).replace(b"\n", b"\r"))) == ["1", "9"]


def test_blank_lines_and_the_ctrl_z_of_old_systems_are_no_records() -> None:
    result = loans(HEADER + FIRST + b"\n\r\n" + LAST + b"\x1a")
    assert ids(result) == ["1", "9"]
    assert result.records == 2


@pytest.mark.parametrize("row", [b"5,50,500\n", b"5,50,500,2026-01-02 10:00:00,2026-02-01,,0,MAIN,one,two\n"])
def test_a_ragged_row_is_set_aside_with_both_counts(row: bytes) -> None:
    result = between(row)
    assert result.reasons == ["ROW_RAGGED"]
    assert result.aside[0]["record"] == 2
    assert result.aside[0]["detail"].endswith(f"({row.count(b',') + 1}, 8 expected)")


def test_empty_fields_too_many_do_no_harm() -> None:
    assert ids(between(b"5,50,500,2026-01-02 10:00:00,2026-02-01,,0,MAIN,,\n")) == ["1", "5", "9"]


def test_an_unclosed_quote_swallows_nothing_but_its_own_row() -> None:
    result = between(b'5,50,500,2026-01-02 10:00:00,2026-02-01,,0,"MAIN\n' + FIRST.replace(b"1,", b"6,", 1))
    assert ids(result) == ["1", "6", "9"]
    assert result.reasons == ["QUOTE_UNCLOSED"]


def test_an_unclosed_quote_takes_the_torn_lines_behind_it_along() -> None:
    result = between(b'5,50,500,2026-01-02 10:00:00,2026-02-01,,0,"MA\nIN\nand more\n')
    assert result.reasons == ["QUOTE_UNCLOSED"]
    assert result.aside[0]["raw"].endswith(b"and more\n")


def test_two_unclosed_quotes_cost_two_rows() -> None:
    torn = b'5,50,500,2026-01-02 10:00:00,2026-02-01,,0,"MAIN\n'
    result = between(torn + FIRST.replace(b"1,", b"6,", 1) + torn)
    assert result.reasons == ["QUOTE_UNCLOSED", "QUOTE_UNCLOSED"]
    assert ids(result) == ["1", "6", "9"]


def test_an_unclosed_quote_in_the_last_row_is_set_aside() -> None:
    result = loans(HEADER + FIRST + b'5,50,500,2026-01-02 10:00:00,2026-02-01,,0,"MAIN')
    assert ids(result) == ["1"]
    assert result.reasons == ["QUOTE_UNCLOSED"]


def test_a_quoted_field_may_run_over_line_ends() -> None:
    result = between(b'5,50,500,2026-01-02 10:00:00,2026-02-01,,0,"MA\r\nIN, ""x"""\n')
    assert result.rows["loan"][1]["lending_branch"] == 'MA\r\nIN, "x"'
    assert [row["_record"] for row in result.rows["loan"]] == [1, 2, 3]


def test_a_quote_inside_an_unquoted_field_is_a_quote() -> None:
    result = between(b'5,50,500,2026-01-02 10:00:00,2026-02-01,,0,12" RECORDS\n')
    assert result.rows["loan"][1]["lending_branch"] == '12" RECORDS'


def test_the_header_standing_once_more_is_set_aside() -> None:
    assert between(HEADER).reasons == ["HEADER_REPEATED"]


def test_a_formula_is_set_aside() -> None:
    assert between(b"5,50,500,2026-01-02 10:00:00,2026-02-01,,0,=HYPERLINK(1)\n").reasons == ["FORMULA_IN_CELL"]
    assert between(b'5,50,500,2026-01-02 10:00:00,2026-02-01,,0,"@SUM(1)"\n').reasons == ["FORMULA_IN_CELL"]


def test_a_number_wrapped_for_a_spreadsheet_is_unwrapped_and_said() -> None:
    result = between(b'5,50,="0500",2026-01-02 10:00:00,2026-02-01,,0,MAIN\n')
    assert result.rows["loan"][1]["item_id"] == "0500"
    assert result.warnings["FORMULA_UNWRAPPED"] == 1


def test_a_line_that_never_ends_is_set_aside_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited.damaged, "LONGEST", 1000)
    whole = HEADER + FIRST + b"x" * 5000 + b"\n" + LAST
    blocks = list(delimited.read_delimited(io.BytesIO(whole), "", plain(columns=["issue_id"]).table("loan"), where="f", block=600))
    assert [text for block in blocks for text in block.columns["issue_id"].to_pylist()] == ["1", "9"]
    assert [row["reason"] for block in blocks for row in block.set_aside] == ["RECORD_TOO_LONG"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "HEADER_MISSING"),
        (b"\xef\xbb\xbf", "HEADER_MISSING"),
        (FIRST + LAST, "HEADER_MISSING"),
        (b'issue_id,"borrowernumber\n', "HEADER_MISSING"),
        (HEADER.replace(b"borrowernumber", b"issue_id") + FIRST, "HEADER_DUPLICATE"),
        (HEADER.replace(b"issue_id", b"loan") + FIRST, "COLUMN_MISSING"),
        ((HEADER + FIRST).decode().encode("utf-16"), "CHARSET_REFUSED"),
        ((HEADER + FIRST).decode().encode("utf-16-be"), "CHARSET_REFUSED"),
        (HEADER.replace(b"branchcode", b"br\xe5nch") + FIRST, "CHARSET_REFUSED"),
        (HEADER + b"".join(FIRST.replace(b"2026-01-02 10:00:00", b"yesterday") for _ in range(30)), "TYPE_CHANGED"),
    ],
)
def test_a_file_that_cannot_be_read_by_its_profile_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(Refused) as refused:
        loans(content)
    assert refused.value.code == code
    assert reason(code).kind == "file"


def test_a_new_column_and_an_absent_one_are_told_and_stop_nothing() -> None:
    result = loans(HEADER.replace(b"renewals_count", b"colour").replace(b"date_due", b"note") + FIRST)
    assert ids(result) == ["1"]
    assert result.warnings["COLUMN_NEW:colour"] == 1
    assert result.warnings["COLUMN_ABSENT:date_due"] == 1
    assert "COLUMN_NEW:note" not in result.warnings, "the profile knows that column, and does not read it"


def test_header_names_match_without_regard_to_case_and_blanks() -> None:
    assert ids(loans(HEADER.replace(b"issue_id", b" Issue_ID ") + FIRST)) == ["1"]


WORD = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8).filter(lambda text: text[:1] not in ("=", "@"))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(WORD, WORD, WORD), max_size=12),
    st.sampled_from([";", ",", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(80, 400),
)
def test_whatever_is_written_as_csv_is_read_back(rows: list[tuple[str, str, str]], delimiter: str, end: str, block: int) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(["a", "b", "c"])
    writer.writerows(rows)
    profile = build(
        {
            "name": "p",
            "title": "p",
            "about": "p",
            "tables": {"item": {"format": "csv", "delimiter": delimiter, "columns": {n: n for n in "abc"}}},
        },
        "p",
    )
    blocks = list(delimited.read_delimited(io.BytesIO(out.getvalue().encode()), "", profile.table("item"), where="f", block=block))
    assert not [row for part in blocks for row in part.set_aside]
    found = [row for part in blocks for row in zip(*(part.columns[name].to_pylist() for name in "abc"), strict=True)]
    assert found == [tuple(text or None for text in row) for row in rows]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([300, 5000]))
def test_no_damage_loses_a_record_or_a_byte_of_what_is_set_aside(seed: int, block: int) -> None:
    chance = random.Random(seed)
    rows = [f"{n},x{n},2026-01-02,{n * 7}\n".encode() for n in range(40)]
    for _ in range(chance.randrange(6)):
        at = chance.randrange(len(rows))
        row = bytearray(rows[at])
        row[chance.randrange(len(row) - 1)] = chance.choice(b'",\0\xe5\r=\n')
        rows[at] = bytes(row)
    content = b"id,name,day,number\n" + b"".join(rows)
    profile = plain(columns=["id", "name", "day", "number"]).table("loan")
    records, covered = 0, []
    for part in delimited.read_delimited(io.BytesIO(content), "", profile, where="f", block=block):
        records += part.records
        assert part.records == len(part) + len(part.set_aside)
        for row in range(len(part)):
            start, length = int(part.offset[row]), int(part.length[row])
            assert part.raw(row) == content[start : start + length]
            covered.append((start, length))
        covered += [(row["offset"], row["length"]) for row in part.set_aside]
        assert all(row["raw"] == content[row["offset"] : row["offset"] + row["length"]] for row in part.set_aside)
    end = len(b"id,name,day,number\n")
    for start, length in sorted(covered):
        assert not content[end:start].strip(b"\r\n"), "nothing but blank lines lies between records"
        end = start + length
    assert not content[end:].strip(b"\r\n")
    assert len(covered) == records


def test_two_members_of_an_archive_are_numbered_each_for_itself() -> None:
    result = read_all({"a.csv": HEADER + FIRST, "b.csv": HEADER + LAST}, "loan", "koha", "history")
    assert [(row["_member"], row["_record"]) for row in result.rows["loan"]] == [("a.csv", 1), ("b.csv", 1)]
