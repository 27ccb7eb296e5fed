"""Damaged ISO 2709: a record costs its neighbours nothing, and is repaired with a word or set aside with its bytes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.engine.reasons import reason
from include.marc.batch import Outcome
from include.marc.iso2709.pieces import BETWEEN
from include.marc.record import Field
from tests.marc.iso import TITLE, Everything, everything, iso
from tests.marc.iso2709.damages import DAMAGES, Damage
from tests.marc.samples import FILES, FOLDER, needs_samples

KNOWN = {damage.name: damage for damage in DAMAGES}


def among(damaged: bytes) -> Everything:
    """A damaged record between good ones, which must all come through."""
    found = everything(iso("1") + damaged + iso("8") + iso("9"))
    assert [found.numbers[0], *found.numbers[-2:]] == ["1", "8", "9"]
    assert (found.records[0].fields[1:], found.records[-1].fields[1:]) == (everything(iso("5")).records[0].fields[1:],) * 2
    for code in [*found.reasons, *found.refusals]:
        assert reason(code).kind == "record"
    return found


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_each_damage_is_told_and_costs_no_neighbour(damage: Damage) -> None:
    found = among(damage.change(iso("5")))
    told = found.reasons | found.refusals
    assert (damage.reason in told) if damage.reason else not told
    assert ("5" in found.numbers) == (not damage.lost)
    for one in found.aside:
        assert one["raw"] in iso("1") + damage.change(iso("5")) + iso("8")


@pytest.mark.parametrize(
    ("name", "tag", "expected"),
    [
        ("field terminator inside", "245", [("a", "Æler og pærer /"), ("c", "Ib Vang")]),
        ("field terminator lost", "245", [("a", TITLE + " /"), ("c", "Ib Vang")]),
        ("field terminator overwritten", "650", [("a", "Frugt")]),
        ("bytes added to a field", "245", [("a", TITLE + "é /"), ("c", "Ib Vang")]),
        ("a byte lost from the directory", "245", [("a", TITLE + " /"), ("c", "Ib Vang")]),
        ("record terminator inside", "650", [("a", "Frugt")]),
        ("a delimiter with nothing behind", "245", [("a", TITLE + " "), ("c", "Ib Vang")]),
        ("a code that is none", "245", [("?", TITLE + " /"), ("c", "Ib Vang")]),
    ],
)
def test_a_repaired_record_has_its_values_under_their_tags(name: str, tag: str, expected: list[tuple[str, str]]) -> None:
    found = among(KNOWN[name].change(iso("5")))
    (field,) = [field for field in found.records[1].fields if field.tag == tag]
    assert field.subfields == expected


def test_a_tag_that_is_none_is_kept_as_it_stands() -> None:
    found = among(KNOWN["a tag that is none"].change(iso("5")))
    assert found.records[1].fields[1].tag == "ÿ02"
    assert found.issues[0]["detail"] == "bytes ff 30 32"


def test_what_stands_before_the_first_subfield_is_kept() -> None:
    found = among(iso("5", [("500", b"123\x1fatwo"), ("505", b"  no subfield"), ("506", b"  ")]))
    batch = found.batches[0]
    rows = batch.select(batch.number == 2).long().select(["tag", "ind1", "ind2", "code", "value"]).to_pylist()
    assert [tuple(row.values()) for row in rows[2:]] == [
        ("500", "1", "2", "", "3"),
        ("500", "1", "2", "a", "two"),
        ("505", " ", " ", "", "no subfield"),
        ("506", " ", " ", "", ""),
    ]


def test_oversize_records_are_read_to_their_terminator() -> None:
    notes = [("500", b"  \x1fa" + b"x" * 9000) for _ in range(14)]
    for length in (iso("5", notes)[:5], b"99999", b"00000"):
        found = among(length + iso("5", notes)[5:])
        assert found.numbers == ["1", "5", "8", "9"]
        assert found.reasons == {"MARC_OVERSIZE": 1, "MARC_DIRECTORY_WRONG": 1}
        assert len(found.records[1].fields) == 15


def test_a_field_over_9_999_bytes_is_read_whole() -> None:
    found = among(iso("5", [("500", b"  \x1fa" + b"x" * 12_000), ("650", b"  \x1faAfter")]))
    assert found.records[1].fields[1:] == [
        Field("500", indicators="  ", subfields=[("a", "x" * 12_000)]),
        Field("650", indicators="  ", subfields=[("a", "After")]),
    ]


def test_the_end_of_a_file_may_be_missing() -> None:
    whole = everything(iso("1") + iso("5")[:-1])
    assert (whole.numbers, whole.reasons) == (["1", "5"], {"MARC_TERMINATOR_MISSING": 1})
    cut = everything(iso("1") + iso("5")[:-12])
    assert (cut.numbers, cut.refusals) == (["1"], {"MARC_TRUNCATED": 1})
    assert cut.aside[0]["raw"] == iso("5")[:-12]


def test_a_record_without_terminator_before_one_whose_length_is_no_number_are_two_records() -> None:
    found = among(iso("5")[:-1] + b"abcde" + iso("6")[5:])
    assert found.numbers == ["1", "5", "6", "8", "9"]
    assert found.reasons == {"MARC_TERMINATOR_MISSING": 1, "MARC_LENGTH_WRONG": 1}


def test_what_is_no_marc_at_all_is_set_aside_whole() -> None:
    assert everything(b"").records == []
    for junk in (b"hello", b"\x1d\x1d\x1d", b"\0" * 200_000 + b"x", bytes(range(256)) * 40, b"a" * (17 << 20)):
        found = everything(junk, block=1 << 20)
        assert found.records == []
        assert b"".join(one["raw"] for one in found.aside).replace(b"\0", b"") == junk.replace(b"\0", b"").lstrip(BETWEEN)


def test_undecodable_characters_may_be_replaced_and_are_told() -> None:
    damaged = KNOWN["bytes of no character set"].change(iso("5"))
    found = everything(damaged, undecodable="replace")
    assert "\ufffd" in str(found.records[0])
    assert (found.reasons, found.aside) == ({"MARC_CHARACTER_REPLACED": 1}, [])


def test_damage_in_fields_nobody_asked_for_is_not_looked_for() -> None:
    hurt = iso("5").replace(b"10\x1fa", b"10\x1f\x01", 1)
    assert everything(hurt, fields=["650"]).outcomes == [Outcome.CLEAN]
    assert everything(hurt, fields=["245"]).outcomes == [Outcome.REPAIRED]


def test_every_control_number_of_a_damaged_export_is_recovered() -> None:
    """20,000 records, 2 % damaged in every way that leaves them readable."""
    chance = random.Random(20261122)
    ways = [damage for damage in DAMAGES if not damage.lost and damage.name != "garbage before it"]
    raw, hurt = [], 0
    for number in range(20_000):
        record = iso(f"{number:06}")
        if chance.random() < 0.02:
            record, hurt = chance.choice(ways).change(record), hurt + 1
        raw.append(record)
    found = everything(b"".join(raw), block=1 << 20)
    assert found.numbers == [f"{number:06}" for number in range(20_000)]
    assert not found.aside
    assert hurt * 0.8 < found.outcomes.count(Outcome.REPAIRED) <= hurt


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([200, 700, 1 << 20]))
def test_no_damage_loses_a_byte_or_hides_a_record_far_away(seed: int, block: int) -> None:
    chance = random.Random(seed)
    records = [iso(str(number), [("245", b"10\x1fa" + b"t" * chance.randrange(60))]) for number in range(12)]
    hurt = chance.randrange(1, 10)
    raw = bytearray(records[hurt])
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(raw))
        raw[at : at + chance.randrange(3)] = chance.choice([b"", b"\x1d", b"\x1e", b"7", b"\xff", b"\x1f"])
    content = b"".join(records[:hurt]) + bytes(raw) + b"".join(records[hurt + 1 :])
    found = everything(content, block=block)
    places = [(one["offset"], one["length"]) for one in found.aside]
    places += [place for batch in found.batches for place in zip(batch.offset.tolist(), batch.length.tolist(), strict=True)]
    at = 0
    for offset, length in sorted(places):
        assert not content[at:offset].strip(BETWEEN), "only blanks lie between records"
        at = offset + length
    assert not content[at:].strip(BETWEEN)
    assert all(content[one["offset"] :].startswith(one["raw"]) for one in found.aside)
    assert found.numbers[: hurt - 1] == [str(number) for number in range(hurt - 1)]
    assert found.numbers[-(10 - hurt) :] == [str(number) for number in range(hurt + 2, 12)]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=30) | st.sampled_from([iso("5"), b"\x1d", b"\x1e", iso("6")[:50], iso("7")[50:]]), max_size=6))
def test_any_bytes_are_accounted_for(parts: list[bytes]) -> None:
    content = b"".join(parts)
    found = everything(content)
    length = sum(one["length"] for one in found.aside) + sum(int(batch.length.sum()) for batch in found.batches)
    assert length <= len(content)
    assert len(content.translate(None, BETWEEN)) <= length + content.count(b"\xef\xbb\xbf") * 3
    again = everything(content, block=64)
    assert (again.records, again.aside) == (found.records, found.aside)


#: What becomes of the damaged public samples: control numbers (or how many), issues, and reasons of those set aside.
EXPECTED: dict[str, tuple[list[str | None] | int, dict[str, int], dict[str, int]]] = {
    # Re-encoded without new lengths; in seven records a field terminator stands inside 999, in one field terminators stand anywhere.
    "Catmandu-MARC__bu_bibs.mrc": (
        99,
        {"MARC_LENGTH_WRONG": 15, "MARC_DIRECTORY_WRONG": 15, "MARC_UTF8_DECLARED_MARC8": 15, "MARC_CONTROL_CHARACTER": 7},
        {"MARC_DIRECTORY_INVALID": 1},
    ),
    # UTF-8 under a leader that says MARC-8.
    "Catmandu-MARC__dollar_subfields.mrc": (2, {"MARC_UTF8_DECLARED_MARC8": 2}, {}),
    "Evergreen__FSL.marc": (52, {"MARC_UTF8_DECLARED_MARC8": 52}, {}),
    "Evergreen__map_data.mrc": (3, {"MARC_UTF8_DECLARED_MARC8": 3}, {}),
    "pymarc__utf8_without_leader_flag.dat": (1, {"MARC_UTF8_DECLARED_MARC8": 1}, {}),
    "Evergreen__jazz_1k.mrc": (1000, {"MARC_SUBFIELD_EMPTY": 5}, {}),
    "Evergreen__nepali.marc": (96, {"MARC_INDICATORS_WRONG": 1}, {}),
    "Evergreen__oss.marc": (42, {"MARC_LEADER_CHARACTER": 1, "MARC_SUBFIELD_CODE": 2}, {}),
    "librisxl__191503.marc": ([], {}, {"MARC_NOT_A_RECORD": 1, "MARC_TRUNCATED": 1}),  # line format, not ISO 2709
    "librisxl__7149593.marc": ([], {}, {"MARC_NOT_A_RECORD": 1, "MARC_TRUNCATED": 1}),
    "pymarc__1251.dat": ([], {}, {"MARC_CHARSET_WRONG": 6}),  # Windows-1251, which no leader can say: name it with `charset`
    "pymarc__bad_eacc_encoding.dat": ([], {}, {"MARC_CHARSET_WRONG": 1}),
    "pymarc__bad_indicator.dat": (["426705"], {"MARC_TAG_INVALID": 1, "MARC_INDICATORS_WRONG": 1}, {}),
    "pymarc__bad_marc8_escape.dat": ([], {}, {"MARC_CHARSET_WRONG": 1}),
    # Six with a base address or directory that is wrong, one without any field.
    "pymarc__bad_records.mrc": ([None] * 7, {"MARC_DIRECTORY_WRONG": 5}, {"MARC_DIRECTORY_INVALID": 1}),
    "pymarc__bad_subfield_code.dat": (["fol05731351 "], {"MARC_LENGTH_WRONG": 1, "MARC_DIRECTORY_WRONG": 1, "MARC_SUBFIELD_CODE": 1}, {}),
    "pymarc__regression45.dat": (12, {"MARC_INDICATORS_WRONG": 11}, {}),
    "pymarc__utf8_errors.dat": (["2001700030"], {}, {}),
    "pymarc__utf8_invalid.mrc": (["144917"], {"MARC_SUBFIELD_CODE": 1}, {}),
}


@needs_samples
@pytest.mark.parametrize("name", EXPECTED)
def test_the_damaged_samples_end_as_is_written_here(name: str) -> None:
    found = everything((FOLDER / name).read_bytes())
    numbers, issues, aside = EXPECTED[name]
    assert (len(found.numbers) if isinstance(numbers, int) else found.numbers) == numbers
    assert (found.reasons, found.refusals) == (issues, aside)


@needs_samples
@pytest.mark.parametrize("file", [file for file in FILES if file.name not in EXPECTED], ids=lambda file: file.name)
def test_every_other_sample_is_clean(file: Path) -> None:
    found = everything(file.read_bytes(), family="unimarc" if "unimarc" in file.name else "marc21")
    assert found.records
    assert not found.issues
    assert not found.aside


@needs_samples
def test_a_character_set_that_no_leader_can_say_may_be_named() -> None:
    found = everything((FOLDER / "pymarc__1251.dat").read_bytes(), charset="windows-1251")
    assert len(found.records) == 6
    assert not found.aside
