"""JSON lines: one object a line, and a line that is none costs only itself."""

from __future__ import annotations

import io
import json

import pytest

from connectors.ils.jsonlines import read_jsonlines
from connectors.ils.profile import Profile, build
from include.engine.errors import Refused
from tests.connectors.ils.reading import Result, read_all

COLUMNS = {
    "item_id": "id",
    "barcode": "barcode",
    "status": {"from": "status.name", "values": {"Available": "available"}, "other": "unknown"},
    "location": "addresses.0.city",
    "loan_count": "count",
}


def profile() -> Profile:
    return build(
        {"name": "j", "title": "j", "about": "j", "tables": {"item": {"format": "jsonl", "columns": COLUMNS, "ignored": ["note"]}}}, "j"
    )


GOOD = json.dumps({"id": "1", "status": {"name": "Available"}, "addresses": [{"city": "Malmö"}], "count": 3}).encode() + b"\n"
LAST = b'{"id": "9", "count": null, "status": {}}\n'


def read(content: bytes) -> Result:
    return read_all(content, "item", profile())


def among(line: bytes) -> Result:
    result = read(GOOD + line + LAST)
    ids = [row["item_id"] for row in result.rows["item"]]
    assert (ids[0], ids[-1]) == ("1", "9")
    return result


def test_paths_lead_into_objects_and_arrays() -> None:
    row = read(GOOD).rows["item"][0]
    assert (row["status"], row["location"], row["loan_count"], row["barcode"]) == ("available", "Malmö", 3, None)
    assert (row["_offset"], row["_length"]) == (0, len(GOOD))


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"id": "5"\n', "JSON_UNREADABLE"),
        (b'["id", "5"]\n', "JSON_UNREADABLE"),
        (b"null\n", "JSON_UNREADABLE"),
        (b'{"id": "5"} {"id": "6"}\n', "JSON_UNREADABLE"),
        (b'{"id": ' + b"[" * 5000 + b"]" * 5000 + b"}\n", "JSON_UNREADABLE"),
        (b'{"id": ' + b"[" * 200 + b"]" * 200 + b"}\n", "JSON_UNREADABLE"),
        ('{"id": "Malmö"}\n'.encode("latin-1"), "CHARSET_WRONG"),
        (b'{"id": "a\\u0000"}\n', "NUL_IN_TEXT"),
        (b'{"id": "' + b"x" * (1 << 20) + b'"}\n', "RECORD_TOO_LONG"),
        (b'{"id": "5", "count": "many"}\n', "NUMBER_UNREADABLE"),
        (b'{"id": "5", "count": 2.5}\n', "NUMBER_UNREADABLE"),
    ],
)
def test_a_line_that_cannot_be_read_costs_only_itself(line: bytes, code: str) -> None:
    files = GOOD + line + LAST
    if code == "RECORD_TOO_LONG":
        blocks = list(read_jsonlines(io.BytesIO(files), "", profile().table("item"), where="f"))
        assert [row["reason"] for row in blocks[0].set_aside] == [code]
        assert blocks[0].columns["id"].to_pylist() == ["1", "9"]
    else:
        assert among(line).reasons == [code]


def test_numbers_and_truth_are_kept_as_they_were_written() -> None:
    result = among(b'{"id": 5, "barcode": 00}\n'.replace(b"00", b"1.50") + b'{"id": true}\n')
    assert [(row["item_id"], row["barcode"]) for row in result.rows["item"]][1:3] == [("5", "1.50"), ("true", None)]


def test_blank_lines_and_a_byte_order_mark_are_no_records() -> None:
    result = read(b"\xef\xbb\xbf" + GOOD + b"\r\n\n" + LAST.rstrip(b"\n"))
    assert [row["_record"] for row in result.rows["item"]] == [1, 2]


def test_a_new_key_is_told_once() -> None:
    assert among(b'{"id": "5", "colour": "red", "note": 1}\n' * 3).warnings == {"COLUMN_NEW:colour": 1}


def test_utf_16_is_refused() -> None:
    with pytest.raises(Refused, match="CHARSET_REFUSED"):
        read(GOOD.decode().encode("utf-16"))


def test_rows_come_in_pieces() -> None:
    content = b"".join(json.dumps({"id": str(n)}).encode() + b"\n" for n in range(25))
    blocks = list(read_jsonlines(io.BytesIO(content), "", profile().table("item"), where="f", rows=10))
    assert [len(block) for block in blocks] == [10, 10, 5]
    assert blocks[1].raw(0) == b'{"id": "10"}\n'
