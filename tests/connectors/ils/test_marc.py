"""MARC in ISO 2709: a damaged record costs its neighbours nothing, and is repaired with a word or set aside with its bytes."""

from __future__ import annotations

import io

import pytest

from connectors.ils.marc_reader import read_marc
from connectors.ils.profile import load
from include.engine.reasons import reason
from include.marc.record import NAMESPACE
from tests.connectors.ils.marc_records import TITLE, iso, item, profile
from tests.connectors.ils.reading import DENMARK, Result, read_all


def read(content: bytes, **settings: str) -> Result:
    return read_all(content, "bibliographic", profile(**settings))


def numbers(result: Result) -> list[str]:
    return [row["control_number"] for row in result.rows["bibliographic"]]


def among(damaged: bytes) -> Result:
    """A damaged record between good ones, which must all come through."""
    result = read(iso("1") + damaged + iso("8") + iso("9"))
    found = numbers(result)
    assert found[0] == "1"
    assert found[-2:] == ["8", "9"]
    for code in [*result.reasons, *result.warnings]:
        assert reason(code).kind == "record"
    return result


def test_a_record_becomes_a_row() -> None:
    result = read(iso("5", extra=[("020", b"  \x1fa978-87-000000-0-2 (hft.)"), ("700", b"1 \x1faVang, Ib,")]))
    row = result.rows["bibliographic"][0]
    assert (row["control_number"], row["agency"], row["title"], row["year"], row["language"]) == ("5", "DK-799001", TITLE, 2026, "dan")
    assert (row["isbn"], row["contributors"], row["material_type"], row["deleted"]) == (["9788700000002"], ["Vang, Ib"], "book", False)
    assert (row["format"], row["encoding"], row["repaired"]) == ("marc21", "utf-8", None)
    assert row["marcxml"].startswith(f'<record xmlns="{NAMESPACE}"><leader>')
    assert (row["_record"], row["_offset"]) == (1, 0)


def test_a_deleted_record_is_told_as_deleted() -> None:
    damaged = bytearray(iso("5"))
    damaged[5:6] = b"d"
    assert read(bytes(damaged)).rows["bibliographic"][0]["deleted"] is True


@pytest.mark.parametrize("wrong", [b"00300", b"00012", b"99999", b"00000", b"abcde", b"     "])
def test_a_wrong_leader_length_is_repaired(wrong: bytes) -> None:
    result = among(wrong + iso("5")[5:])
    assert numbers(result) == ["1", "5", "8", "9"]
    assert result.warnings["MARC_LENGTH_WRONG"] == 1
    assert "MARC_LENGTH_WRONG" in result.rows["bibliographic"][1]["repaired"]


def test_a_missing_terminator_is_repaired() -> None:
    result = among(iso("5")[:-1])
    assert numbers(result) == ["1", "5", "8", "9"]
    assert result.warnings == {"MARC_TERMINATOR_MISSING": 1}


def test_a_missing_terminator_of_the_last_record_is_repaired() -> None:
    result = read(iso("1") + iso("5")[:-1])
    assert numbers(result) == ["1", "5"]
    assert result.warnings == {"MARC_TERMINATOR_MISSING": 1}


def test_a_truncated_record_is_set_aside() -> None:
    result = read(iso("1") + iso("5")[:-12])
    assert (numbers(result), result.reasons) == (["1"], ["MARC_TRUNCATED"])


def test_an_oversize_record_is_read_to_its_terminator() -> None:
    notes = [("500", b"  \x1fa" + b"x" * 9000) for _ in range(14)]
    for length in (iso("5", extra=notes)[:5], b"99999", b"00000"):
        result = among(length + iso("5", extra=notes)[5:])
        assert numbers(result) == ["1", "5", "8", "9"]
        assert result.warnings == {"MARC_OVERSIZE": 1, "MARC_DIRECTORY_WRONG": 1}


def test_a_wrong_base_address_is_repaired() -> None:
    damaged = iso("5")
    result = among(damaged[:12] + b"00000" + damaged[17:])
    assert numbers(result) == ["1", "5", "8", "9"]
    assert result.warnings == {"MARC_DIRECTORY_WRONG": 1}


def test_directory_entries_may_stand_in_any_order() -> None:
    damaged = iso("5")
    shuffled = damaged[:24] + damaged[36:60] + damaged[24:36] + damaged[60:]
    result = among(shuffled)
    assert numbers(result) == ["1", "5", "8", "9"]
    assert not result.warnings


def test_a_directory_with_wrong_lengths_is_repaired() -> None:
    damaged = iso("5")
    assert numbers(among(damaged[:27] + b"0009" + damaged[31:])) == ["1", "5", "8", "9"]


@pytest.mark.parametrize("entry", [b"2\xf84", b"2 4"])
def test_a_tag_that_is_none_sets_the_record_aside(entry: bytes) -> None:
    damaged = iso("5")
    assert among(damaged[:24] + entry + damaged[27:]).reasons == ["MARC_DIRECTORY_INVALID"]


def test_what_is_between_records_and_is_none_is_set_aside() -> None:
    assert among(b"<html>not found</html>").reasons == ["MARC_NOT_A_RECORD"]


def test_line_ends_between_records_do_no_harm() -> None:
    assert numbers(among(b"\r\n\n")) == ["1", "8", "9"]


def test_utf_8_declared_as_marc_8_is_repaired() -> None:
    result = among(iso("5", coding=" "))
    assert result.rows["bibliographic"][1]["title"] == TITLE
    assert result.warnings == {"MARC_UTF8_DECLARED_MARC8": 1}


def test_marc_8_declared_as_utf_8_is_repaired() -> None:
    result = among(iso("5", title=b"Caf\xe2e og \xa5bler"))
    row = result.rows["bibliographic"][1]
    assert (row["title"], row["encoding"]) == ("Café og Æbler", "marc-8")
    assert result.warnings == {"MARC_MARC8_DECLARED_UTF8": 1}


def test_marc_8_is_read_by_the_leader() -> None:
    result = among(iso("5", title=b"\xb2re, \xe8ander \x1bp2\x1bs", coding=" "))
    assert result.rows["bibliographic"][1]["title"] == "øre, änder ²"
    assert not result.warnings


@pytest.mark.parametrize(("title", "coding"), [(b"Stra\xdfe \xff", "a"), (b"\x1b$1!!", " "), (b"\x1b(!\x07", " ")])
def test_bytes_of_no_declared_character_set_set_the_record_aside(title: bytes, coding: str) -> None:
    assert among(iso("5", title=title, coding=coding)).reasons == ["MARC_CHARSET_WRONG"]


def test_a_profile_may_say_the_character_set() -> None:
    assert read(iso("5", title=TITLE.encode("latin-1")), charset="iso-8859-1").rows["bibliographic"][0]["title"] == TITLE


def test_wrong_indicators_empty_fields_and_control_characters_are_repaired() -> None:
    result = among(iso("5", title=b"a\x07b", extra=[("500", b"\x1faone"), ("500", b"123\x1fatwo"), ("505", b"  no subfield")]))
    assert result.rows["bibliographic"][1]["title"] == "ab"
    assert set(result.warnings) == {"MARC_INDICATORS_WRONG", "MARC_FIELD_EMPTY", "MARC_CONTROL_CHARACTER"}


def test_a_record_of_another_kind_is_filtered() -> None:
    assert read(iso("1") + iso("5", kind="z ")).filtered == {"MARC_OTHER_KIND": 1}


def test_items_inside_records_are_rows_of_their_own_and_count_no_record() -> None:
    result = read_all(iso("1", extra=[item("11"), item("12", "EAST")]) + iso("2") + iso("3", extra=[item("13")]), "bibliographic", "koha")
    assert result.records == 3
    assert [(row["item_id"], row["control_number"], row["branch"], row["_record"]) for row in result.rows["item"]] == [
        ("11", "1", "MAIN", 1),
        ("12", "1", "EAST", 1),
        ("13", "3", "MAIN", 3),
    ]
    row = result.rows["item"][0]
    assert (row["material_type"], row["status"], row["loan_count"], row["agency"], row["placeholder"]) == (
        "book",
        "available",
        7,
        "DK-799001",
        False,
    )


def test_danmarc2_has_subfields_in_001_and_ø_as_a_code() -> None:
    fields = [("001", b"00\x1fa50001234\x1fb870970"), ("004", b"00\x1frd\x1fae"), ("245", "00\x1faBogen\x1føother".encode())]
    directory, data = b"", b""
    for tag, value in fields:
        directory += f"{tag}{len(value) + 1:04}{len(data):05}".encode()
        data += value + b"\x1e"
    base = 25 + len(directory)
    raw = f"{base + len(data) + 1:05}n    22{base:05}   4500".encode() + directory + b"\x1e" + data + b"\x1d"
    row = read(raw, form="danmarc2", charset="utf-8").rows["bibliographic"][0]
    assert (row["control_number"], row["agency"], row["title"], row["deleted"]) == ("50001234", "870970", "Bogen other", True)


def test_many_records_come_in_pieces_with_running_numbers() -> None:
    content = b"".join(iso(str(n)) for n in range(1, 101))
    reads = list(read_marc(io.BytesIO(content), "", "bibliographic", profile(), DENMARK, where="f", block=5_000))
    assert len(reads) > 2
    numbers = [number for part in reads if part.rows for number in part.rows.column("_record").to_pylist()]
    assert numbers == list(range(1, 101))


def test_what_is_inside_records_keeps_its_record_s_bytes_when_it_is_set_aside() -> None:
    wrong = ("952", b"  \x1f911\x1fp0011\x1faMAIN\x1fyBK\x1f00\x1flmany")
    content = b"".join(iso(str(n), extra=[item(str(n))]) for n in range(1, 60)) + iso("60", extra=[wrong])
    reads = list(read_marc(io.BytesIO(content), "", "bibliographic", load("koha"), DENMARK, where="f", block=5_000))
    (aside,) = [row for part in reads if part.set_aside for row in part.set_aside.to_pylist()]
    assert (aside["record"], aside["raw"]) == (60, iso("60", extra=[wrong]))
