"""ISO 2709 into batches: clean records, row by row as pymarc reads them, in blocks and byte ranges of any size."""

from __future__ import annotations

import gzip
import io
import logging
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pymarc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.marc.batch import Batch, Outcome
from include.marc.build import one_by_one
from include.marc.iso2709 import scan, shards
from include.marc.record import Record
from include.marc.source import opened
from tests.marc.iso import BOOK, TITLE, everything, iso
from tests.marc.samples import FILES, FOLDER, needs_samples
from tests.marc.test_batch import codes, indicators


def test_a_record_becomes_rows() -> None:
    (batch,) = everything(iso("5")).batches
    assert batch.long().select(["tag", "seq", "ind1", "code", "value"]).to_pylist()[1:6:2] == [
        {"tag": "001", "seq": 1, "ind1": "", "code": "", "value": "5"},
        {"tag": "020", "seq": 3, "ind1": " ", "code": "a", "value": "9788700000002"},
        {"tag": "100", "seq": 4, "ind1": "1", "code": "4", "value": "aut"},
    ]
    assert (batch.outcome.tolist(), batch.offset.tolist(), batch.length.tolist()) == ([Outcome.CLEAN], [0], [len(iso("5"))])
    assert batch.leaders.to_pylist() == [iso("5")[:24].decode()]


def test_records_know_their_place_in_the_file() -> None:
    content = iso("1") + b"\r\n" + iso("22") + iso("3")
    (batch,) = everything(content).batches
    places = zip(batch.number.tolist(), batch.offset.tolist(), batch.length.tolist(), strict=True)
    assert [(number, content[offset : offset + length]) for number, offset, length in places] == [
        (1, iso("1")),
        (2, iso("22")),
        (3, iso("3")),
    ]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 2_000))
def test_blocks_of_any_size_give_the_same(size: int) -> None:
    content = b"".join(iso(str(number), BOOK[: number % 6] or None) for number in range(40))
    small, whole = everything(content, block=size), everything(content)
    assert small.records == whole.records
    assert [number for batch in small.batches for number in batch.number.tolist()] == list(range(1, 41))


@given(st.lists(st.integers(0, 12_000), max_size=5))
def test_byte_ranges_share_the_records_out(cuts: list[int]) -> None:
    content = b"".join(iso(str(number)) for number in range(40))
    edges = [0, *sorted(cuts), len(content) + 1]
    found = [everything(content, start=start, stop=stop).numbers for start, stop in pairwise(edges)]
    assert [number for numbers in found for number in numbers] == [str(number) for number in range(40)]


def test_shards_hold_all_records_and_begin_at_one() -> None:
    content = b"".join(iso(str(number)) for number in range(40))
    ranges = shards(io.BytesIO(content), 3)
    assert len(ranges) == 3
    assert all(content[start - 1 : start] in (b"", b"\x1d") for start, _ in ranges)
    assert sum(len(everything(content, start=start, stop=stop).records) for start, stop in ranges) == 40


def test_only_the_fields_asked_for_are_followed_and_keep_their_numbers() -> None:
    found = everything(iso("1") + iso("2"), fields=["245", "6XX"])
    assert [[field.tag for field in record.fields] for record in found.records] == [["245", "650"]] * 2
    (batch,) = found.batches
    assert batch.seq.tolist() == [0, 5, 5, 6] * 2
    assert batch.long().column("control_number").to_pylist() == [""] * 8
    with pytest.raises(ValueError, match="is no tag"):
        everything(iso("1"), fields=["24*"])


def test_danmarc2_has_subfields_in_001_and_ø_as_a_code() -> None:
    fields = [("004", b"00\x1frn\x1fae"), ("245", "00\x1faBogen\x1fø@00C6ther".encode("latin-1"))]
    head = [("001", b"00\x1fa5 000 1\x1fb870970"), *fields]
    directory, data = b"", b""
    for tag, value in head:
        directory += b"%s%04d%05d" % (tag.encode(), len(value) + 1, len(data))
        data += value + b"\x1e"
    raw = b"%05dn    22%05d   4500" % (25 + len(directory) + len(data) + 1, 25 + len(directory)) + directory + b"\x1e" + data + b"\x1d"
    found = everything(raw, family="danmarc2")
    assert found.records[0].fields[0].subfields == [("a", "5 000 1"), ("b", "870970")]
    assert found.records[0].fields[2].subfields == [("a", "Bogen"), ("ø", "Æther")]
    assert (found.numbers, found.outcomes) == (["5 000 1"], [Outcome.CLEAN])


def test_unimarc_says_its_character_set_in_100() -> None:
    general = ("100", b"  \x1fa20200101d2020    m  y0frey50      ba")
    iso_5426 = ("100", b"  \x1fa20200101d2020    m  y0frey0103    ba")
    title = ("200", "1 \x1faÉté".encode())
    assert everything(iso("1", [general, title]), family="unimarc").records[0].fields[2].subfields == [("a", "Été")]
    old = iso("1", [iso_5426, ("200", b"1 \x1fa\xc2Et\xc2e")])
    assert everything(old, family="unimarc").records[0].fields[2].subfields == [("a", "Été")]
    projected = everything(old, family="unimarc", fields=["200"])
    assert [field.subfields for field in projected.records[0].fields] == [[("a", "Été")]]


def test_files_are_read_bare_and_packed(tmp_path: Path) -> None:
    content = iso("1") + iso("2")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("a.mrc", iso("1"))
        archive.writestr("b.mrc", iso("2"))
    (tmp_path / "g.gz").write_bytes(gzip.compress(content))
    (tmp_path / "bare.mrc").write_bytes(content)
    for source in (tmp_path / "z.zip", tmp_path / "g.gz", tmp_path / "bare.mrc", io.BytesIO(content)):
        with opened(source) as members:
            numbers = [number for member in members for batch in scan(member.stream) for number in batch.control_numbers.to_pylist()]
        assert numbers == ["1", "2"]


values = st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc")), max_size=12)
tags = st.text("0123456789ABCZz", min_size=3, max_size=3)
data_fields = st.builds(
    lambda tag, ind, subs: (tag, ind.encode() + "".join(f"\x1f{code}{value}" for code, value in subs).encode()),
    tags.filter(lambda tag: not tag.startswith("00")),
    indicators,
    st.lists(st.tuples(codes.filter(lambda code: code.isascii() and code.isprintable()), values), min_size=1, max_size=4),
)
control_fields = st.builds(lambda tag, value: (tag, value.encode()), st.sampled_from(["003", "005", "008"]), values)


@settings(deadline=None)
@given(st.lists(st.lists(control_fields | data_fields, max_size=6), min_size=1, max_size=5))
def test_clean_records_are_read_as_pymarc_reads_them(records: list[list[tuple[str, bytes]]]) -> None:
    raw = [iso(str(number), fields) for number, fields in enumerate(records)]
    found = everything(b"".join(raw))
    assert set(found.outcomes) == {Outcome.CLEAN}
    for ours, content in zip(found.records, raw, strict=True):
        assert rows_of(ours) == pymarc_rows(content)


def rows_of(record: Record) -> list[tuple[str, ...]]:
    """A record's rows as tuples, with what pymarc knows of them."""
    rows: list[tuple[str, ...]] = [("LDR", record.leader[:9] + record.leader[10:])]
    for field in record.fields:
        if field.data is not None:
            rows.append((field.tag, field.data))
        rows += [(field.tag, field.indicators, code, value) for code, value in field.subfields if code]
    return rows


def pymarc_rows(raw: bytes) -> list[tuple[str, ...]]:
    """The same of pymarc's record; it writes `a` into leader/09 when it decodes MARC-8."""
    record = pymarc.Record(raw, to_unicode=True, hide_utf8_warnings=True)
    leader = str(record.leader)
    rows: list[tuple[str, ...]] = [("LDR", leader[:9] + leader[10:])]
    for field in record.fields:
        if field.control_field:
            rows.append((field.tag, field.data or ""))
        rows += [(field.tag, "".join(field.indicators), subfield.code, subfield.value) for subfield in field.subfields]
    return rows


@pytest.fixture
def pymarc_is_quiet() -> Iterator[None]:
    """It logs each character that it cannot read; every other logger of the process is quiet meanwhile, and must not stay so."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@needs_samples
@pytest.mark.usefixtures("pymarc_is_quiet")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_clean_record_of_the_samples_is_read_as_pymarc_reads_it(file: Path) -> None:
    family = "unimarc" if "unimarc" in file.name else "marc21"
    content = file.read_bytes()
    with opened(file) as members:
        batches: list[Batch] = [batch for member in members for batch in scan(member.stream, family=family)]
    for batch in batches:
        raws = [content[at : at + size] for at, size in zip(batch.offset.tolist(), batch.length.tolist(), strict=True)]
        for record, raw, outcome in zip(one_by_one(batch), raws, batch.outcome.tolist(), strict=True):
            known = (family == "marc21" or raw.isascii()) and b"\x7f" not in raw  # pymarc reads UNIMARC by leader/09, and DEL as a blank
            if outcome == Outcome.CLEAN and known:
                assert rows_of(record) == pymarc_rows(raw)


@needs_samples
def test_both_encodings_of_one_record_are_the_same_table() -> None:
    both = [everything((FOLDER / f"pymarc__utf8_{how}_leader_flag.dat").read_bytes()) for how in ("with", "without")]
    assert both[0].records[0].fields == both[1].records[0].fields
    assert TITLE not in str(both[0].records)
