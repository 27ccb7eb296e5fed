"""Records one at a time, as pymarc knows them, and back."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pymarc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.marc.batch import Tags
from include.marc.build import Found, build, one_by_one
from include.marc.iso2709.scan import scan
from include.marc.record import Field, Record
from include.marc.single import from_pymarc, records
from tests.marc.test_batch import LEADER
from tests.marc.test_batch import records as any_records

SAMPLES = Path(os.environ.get("MARC_SAMPLES", Path(__file__).parents[3] / "shared" / "samples" / "marc"))
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public MARC samples are not at hand (MARC_SAMPLES names their folder)")


def test_danmarc2_has_subfields_in_001() -> None:
    record = Record(
        LEADER,
        [
            Field("001", indicators="00", subfields=[("a", "51234567"), ("b", "870970")]),
            Field("245", indicators="00", subfields=[("ø", "x")]),
        ],
    )
    (found,) = build([Found(record, 1)], Tags()).records()
    assert found["001"]["b"] == "870970"
    assert str(found["001"]) == "=001  00$a51234567$b870970"
    assert b"\x1e00\x1fa51234567\x1fb870970\x1e" in found.as_marc()
    assert one_by_one(from_pymarc([found])) == [record]


def test_a_record_is_pymarcs_own_and_can_be_changed() -> None:
    record = Record(LEADER, [Field("001", data="1"), Field("245", indicators="10", subfields=[("a", "Title /"), ("c", "A.")])])
    (found,) = records(build([Found(record, 1)], Tags()))
    assert (found.title, found["001"].data, found.leader[9]) == ("Title /", "1", "a")
    found.add_field(pymarc.Field("650", pymarc.Indicators(" ", "0"), [pymarc.Subfield("a", "Sea")]))
    assert one_by_one(from_pymarc([found]))[0].fields[-1] == Field("650", indicators=" 0", subfields=[("a", "Sea")])


@given(st.lists(any_records, max_size=3))
def test_any_record_comes_back(given: list[Record]) -> None:
    batch = build([Found(record, number) for number, record in enumerate(given, start=1)], Tags())
    assert one_by_one(from_pymarc(records(batch))) == given


@needs_samples
@pytest.mark.parametrize("name", ["pymarc__test.dat", "pymarc__marc.dat", "Evergreen__lul_fre_100.mrc", "Evergreen__auth-1066.mrc"])
def test_clean_records_are_as_pymarc_reads_them_itself(name: str) -> None:
    content = (SAMPLES / name).read_bytes()
    ours = [record for batch in scan(io.BytesIO(content)) for record in records(batch)]
    theirs = [record for record in pymarc.MARCReader(io.BytesIO(content), hide_utf8_warnings=True) if record is not None]
    assert [[str(field) for field in record.fields] for record in ours] == [[str(field) for field in record.fields] for record in theirs]
