"""Parts of a file: however the stream is cut, byte ranges, and only the fields that are asked for."""

from __future__ import annotations

import io

import pytest

from include.marc.marcxml import shards
from tests.marc.marcxml.documents import Read, document, record

pytestmark = pytest.mark.usefixtures("either_way")


SOME = [
    record("1"),
    record("2").replace("</record>", ""),
    record("3", "A <b>x</b>"),
    record("4", "Æ" * 40, more='<datafield tag="500" ind1=" " ind2=" "><subfield code="a">n</subfield></datafield>'),
    f"<!-- {record('5')} -->",
    record("6", "<![CDATA[</record>]]>"),
    record("7").replace("<record>", ""),
    record("8", "a &amp; b"),
]


@pytest.mark.parametrize("block", [60, 101, 333, 1000])
def test_records_are_found_however_the_stream_is_cut(block: int) -> None:
    content = document(*SOME)
    whole, cut = Read(content), Read(content, block=block)
    assert (cut.records, cut.numbers, cut.places) == (whole.records, whole.numbers, whole.places)
    assert (cut.issues, cut.aside) == (whole.issues, whole.aside)


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_byte_ranges_hold_every_record_once(parts: int) -> None:
    content = document(*(record(str(number), "Æ" * (number % 9)) for number in range(40)))
    whole = Read(content)
    ranges = [Read(content, start=start, stop=stop) for start, stop in shards(io.BytesIO(content), parts)]
    assert [one for part in ranges for one in part.records] == whole.records
    assert [one for part in ranges for one in part.places] == whole.places
    assert len(ranges) == parts


@pytest.mark.parametrize("fields", [["245"], ["00X"], ["5XX"], []])
def test_only_the_fields_that_are_asked_for(fields: list[str]) -> None:
    content = document(*SOME)
    asked = Read(content, fields=fields)
    kept = [
        (leader, [field for field in found if any(all(a in ("X", b) for a, b in zip(one, field[0], strict=True)) for one in fields)])
        for leader, found in Read(content).records
    ]
    assert asked.records == kept
