"""Batches written and read again: the same bytes for clean records, the same rows for all, valid for others who read them."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pymarc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from include.marc.batch import Batch, Family, Outcome, Tags
from include.marc.build import Found, build, one_by_one
from include.marc.charsets import NAMES
from include.marc.iso2709.scan import scan
from include.marc.marcxml import scan as scan_xml
from include.marc.record import Field, Record
from include.marc.write import Written, iso2709, line, marcxml

SAMPLES = Path(os.environ.get("MARC_SAMPLES", Path(__file__).parents[4] / "shared" / "samples" / "marc"))
FILES = sorted(SAMPLES.glob("*")) if SAMPLES.is_dir() else []
needs_samples = pytest.mark.skipif(not FILES, reason="the public MARC samples are not at hand (MARC_SAMPLES names their folder)")
LEADER = "00000nam a2200000 a 4500"
XSD = (Path(__file__).parent / "marcxml.xsd").read_text(encoding="utf-8")
PLAIN = Record(
    LEADER, [Field("001", data="1"), Field("245", None, "10", [("a", "Æbler"), ("c", "A. B.")]), Field("500", None, "  ", [("a", "x & y")])]
)


def batch(*records: Record, charset: str = "utf-8") -> Batch:
    return build([Found(one, number, charset=NAMES.index(charset)) for number, one in enumerate(records, start=1)], Tags())


def as_iso(one: Batch, **asked: str) -> tuple[bytes, Written]:
    out = io.BytesIO()
    written = iso2709.write([one], out, **asked)  # type: ignore[arg-type]
    return out.getvalue(), written


def as_xml(one: Batch, **asked: str) -> bytes:
    out = io.BytesIO()
    assert marcxml.write([one], out, **asked).records == len(one)  # type: ignore[arg-type]
    return out.getvalue()


def back(data: bytes, family: Family = "marc21") -> list[Record]:
    batches = list(scan(io.BytesIO(data), family=family))
    assert all(len(one.aside) == 0 for one in batches)
    return [record for one in batches for record in one_by_one(one)]


def schema(form: marcxml.Form) -> etree.XMLSchema:
    tag = (
        "(0([1-9A-Z][0-9A-Z])|0([1-9a-z][0-9a-z]))|(([1-9A-Z][0-9A-Z]{2})|([1-9a-z][0-9a-z]{2}))" if form == "marcxml" else "[0-9A-Za-z]{3}"
    )
    return etree.XMLSchema(etree.fromstring(XSD.replace("NAMESPACE", marcxml.NAMESPACES[form]).replace("DATATAG", tag).encode()))


def test_a_record_is_written_with_length_directory_and_base_address() -> None:
    data, written = as_iso(batch(PLAIN))
    assert data.startswith(b"00092nam a2200061 a 4500001000200000245001800002500001000020\x1e1\x1e10\x1fa")
    assert data.endswith(b"\x1e  \x1fax & y\x1e\x1d")
    assert (written.records, written.problems) == (1, [])


@needs_samples
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_clean_records_have_the_same_bytes_and_all_have_the_same_rows(file: Path) -> None:
    content = file.read_bytes()
    for one in scan(io.BytesIO(content)):
        if not len(one):
            continue
        data, _ = as_iso(one, charset="as_read")
        again = list(scan(io.BytesIO(data)))
        assert sum(len(found) for found in again) == len(one)
        assert (
            pa.concat_arrays([found.value for found in again])
            .filter(pa.array(_not_leaders(again)))
            .equals(one.value.filter(pa.array(one.seq > 0)))
        )
        for at, raw in enumerate(data.split(b"\x1d")[:-1]):
            if one.outcome[at] == Outcome.CLEAN:
                assert raw + b"\x1d" == content[one.offset[at] : one.offset[at] + one.length[at]]


def _not_leaders(batches: list[Batch]) -> np.ndarray:
    return np.concatenate([one.seq > 0 for one in batches])


@needs_samples
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_both_encodings_of_one_export_are_the_same_table(file: Path) -> None:
    for one in scan(io.BytesIO(file.read_bytes())):
        stray = np.unique(one.rec[(one.ind1 != 0) & (one.code == 0) & (np.array([len(text) for text in one.value.to_pylist()]) > 0)])
        keep = np.ones(len(one), bool)
        keep[stray] = False  # text before a first subfield has no place in XML
        one = one.select(keep)
        if not len(one):
            continue
        (again,) = scan_xml(io.BytesIO(as_xml(one)), family="danmarc2", block=1 << 30)
        for name in ("rec", "seq", "ind1", "ind2", "code", "first"):
            assert np.array_equal(getattr(again, name), getattr(one, name))
        assert [again.tags.names[tag] for tag in again.tag] == [one.tags.names[tag] for tag in one.tag]
        assert again.value.filter(pa.array(one.seq > 0)).equals(one.value.filter(pa.array(one.seq > 0)))


@needs_samples
@pytest.mark.parametrize("name", ["pymarc__test.dat", "Evergreen__hebrew.marc", "Evergreen__lul_fre_100.mrc"])
def test_pymarc_reads_what_we_write_as_what_it_reads_in_the_original(name: str) -> None:
    content = (SAMPLES / name).read_bytes()
    ours = b"".join(as_iso(one)[0] for one in scan(io.BytesIO(content)))
    pairs = zip(_pymarc(content), _pymarc(ours), strict=True)
    for theirs, mine in pairs:
        # pymarc reads DEL in a Hebrew text as a blank
        assert [str(field).replace("\x7f", " ") for field in mine.fields] == [str(field) for field in theirs.fields]


def _pymarc(data: bytes) -> list[pymarc.Record]:
    return [record for record in pymarc.MARCReader(io.BytesIO(data), hide_utf8_warnings=True) if record is not None]


@pytest.mark.skipif(not shutil.which("yaz-marcdump"), reason="yaz-marcdump is not at hand")
def test_yaz_marcdump_finds_nothing_wrong(tmp_path: Path) -> None:
    file = tmp_path / "out.mrc"
    file.write_bytes(as_iso(batch(PLAIN, PLAIN))[0])
    found = subprocess.run(["yaz-marcdump", "-n", str(file)], capture_output=True, check=True, text=True)
    assert "err" not in (found.stdout + found.stderr).casefold()


@pytest.mark.parametrize("form", ["marcxml", "marcxchange"])
def test_xml_is_valid_by_the_schema(form: marcxml.Form) -> None:
    document = etree.fromstring(as_xml(batch(PLAIN, PLAIN), form=form))
    schema(form).assertValid(document)
    assert len(pymarc.parse_xml_to_array(io.BytesIO(as_xml(batch(PLAIN))))) == 1


def test_marcxchange_says_format_and_type_and_holds_danmarc2() -> None:
    number = Field("001", None, "00", [("a", "5 123 456 7"), ("b", "870970")])
    record = Record("00000n    2200000   4500", [number, Field("245", None, "00", [("a", "T"), ("ø", "v")])])
    data = as_xml(batch(record), form="marcxchange", family="danmarc2")
    assert b'<record format="danMARC2" type="Bibliographic">' in data
    (again,) = scan_xml(io.BytesIO(data), family="danmarc2")
    assert one_by_one(again) == [record]
    schema("marcxchange").assertValid(etree.fromstring(data.replace(b"00000n    22", b"00000nam  22")))


def test_leader_09_says_what_is_written() -> None:
    one = batch(Record(LEADER.replace(" a2", "  2"), PLAIN.fields), charset="marc-8")
    assert as_iso(one)[0][9:10] == b"a"
    data, _ = as_iso(batch(PLAIN), charset="marc-8")
    assert (data[9:10], b"\xa5bler" in data) == (b" ", True)
    assert as_iso(one, charset="as_read")[0] == data
    assert b"<leader>00000nam a22" in as_xml(one)
    assert as_iso(one, family="unimarc")[0][9:10] == b" "


def test_a_character_that_the_set_lacks_is_told() -> None:
    data, written = as_iso(batch(PLAIN, Record(LEADER, [Field("245", None, "10", [("a", "smile 😀")])])), charset="iso-8859-1")
    assert written.problems == [(2, "MARC_CHARACTER_LOST", "iso-8859-1")]
    assert b"smile \x1a" in data
    out = io.BytesIO()
    found = marcxml.write([batch(Record(LEADER, [Field("001", data="a\uffffb")]))], out)
    assert (found.problems, b">ab<" in out.getvalue()) == ([(1, "MARC_CHARACTER_LOST", "xml")], True)


def test_a_delimiter_inside_a_value_is_told_and_ends_nothing() -> None:
    data, written = as_iso(batch(Record(LEADER, [Field("245", None, "10", [("a", "a\x1db\x1ec\x1fd")])])))
    assert [reason for _, reason, _ in written.problems] == ["MARC_CHARACTER_LOST"]
    assert back(data)[0].fields == [Field("245", None, "10", [("a", "a b c d")])]


def test_what_is_too_long_for_the_format_is_told_and_read_again() -> None:
    notes = [Field("500", None, "  ", [("a", f"{n}" + "x" * 9_000)]) for n in range(14)]
    long = Record(LEADER, [Field("001", data="1"), *notes, Field("520", None, "  ", [("a", "y" * 12_000)])])
    data, written = as_iso(batch(PLAIN, long, PLAIN))
    assert sorted(written.problems) == [(2, "MARC_FIELD_TOO_LONG", None), (2, "MARC_RECORD_TOO_LONG", None)]
    assert data[92:97] == b"99999"
    assert [one.fields for one in back(data)] == [PLAIN.fields, long.fields, PLAIN.fields]


def test_records_without_subfields_or_fields_are_written_too() -> None:
    bare = Record(LEADER, [Field("001", data=""), Field("245", None, "10", []), Field("300", None, "  ", [("a", "")])])
    assert back(as_iso(batch(bare))[0])[0].fields == bare.fields
    assert as_iso(batch(Record(LEADER, [])))[0] == b"00026nam a2200025 a 4500\x1e\x1d"


def test_a_field_called_ldr_is_a_field_and_no_second_leader() -> None:
    one = batch(Record(LEADER, [Field("001", data="1"), Field("LDR", data="x"), Field("LDR", None, "  ", [("a", "y")])]))
    data, _ = as_iso(one)
    assert [record.fields for record in back(data)] == [record.fields for record in one_by_one(one)]
    found = next(iter(etree.fromstring(as_xml(one))))
    assert [(child.tag.rpartition("}")[2], child.get("tag")) for child in found] == [
        ("leader", None), ("controlfield", "001"), ("controlfield", "LDR"), ("datafield", "LDR"),
    ]  # fmt: skip


def test_lines_are_for_people() -> None:
    out = io.BytesIO()
    line.write([batch(PLAIN)], out)
    assert out.getvalue().decode() == f"LDR {LEADER}\n001 1\n245 10 $a Æbler $c A. B.\n500    $a x & y\n\n"
    out = io.BytesIO()
    line.write([batch(Record(LEADER, [Field("001", None, "00", [("a", "5"), ("b", "a*b@c\nd")])]))], out, family="danmarc2")
    assert out.getvalue().decode().splitlines()[1] == "001 00 *a 5 *b a@*b@@c d"


TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff") | st.sampled_from("\t\n\r&<>]"), max_size=10
)
FIELDS = st.one_of(
    st.builds(lambda tag, text: Field(tag, data=text), st.sampled_from(["001", "005", "008"]), TEXT),
    st.builds(
        lambda tag, indicators, subfields: Field(tag, None, indicators, subfields),
        st.sampled_from(["100", "245", "910"]),
        st.text("01 a", min_size=2, max_size=2),
        st.lists(st.tuples(st.sampled_from("abz09"), TEXT), max_size=3),
    ),
)
RECORDS = st.lists(st.builds(lambda fields: Record(LEADER, fields), st.lists(FIELDS, min_size=1, max_size=5)), min_size=1, max_size=5)


@settings(max_examples=120, deadline=None)
@given(RECORDS)
def test_any_record_comes_back_from_iso_2709_and_from_xml(records: list[Record]) -> None:
    one = batch(*records)
    assert [found.fields for found in back(as_iso(one)[0])] == [record.fields for record in records]
    assert [found for part in scan_xml(io.BytesIO(as_xml(one))) for found in one_by_one(part)] == records
