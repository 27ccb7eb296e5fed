"""Damaged XML: what is mended, what is set aside with its bytes, and that its neighbours come through."""

from __future__ import annotations

import importlib
import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.engine.errors import Refused
from include.marc.marcxml import scan
from tests.marc.marcxml.documents import FULL, LEADER, Read, among, document, record

pytestmark = pytest.mark.usefixtures("either_way")


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        (record("5").replace("</record>", ""), "XML_UNREADABLE"),
        (record("5").replace("<record>", ""), "XML_UNREADABLE"),
        (record("5").replace("</datafield>", ""), "XML_UNREADABLE"),
        (record("5", "&xxe;"), "XML_UNREADABLE"),
        (record("5", "a ]]> b"), "XML_UNREADABLE"),
        (record("5", "a & b"), "XML_UNREADABLE"),
        (record("5", "a\x01b"), "XML_CHARACTER_INVALID"),
        (record("5", "a&#1;b"), "XML_CHARACTER_INVALID"),
        (record("5", "a&#xD800;b"), "XML_CHARACTER_INVALID"),
        (record("5", "a\uffffb"), "XML_CHARACTER_INVALID"),
        (record("5", "<i>" * 60 + "x" + "</i>" * 60), "XML_TOO_DEEP"),
        (record("5").replace('tag="245"', 'tag="2455"'), "MARC_DIRECTORY_INVALID"),
        (record("5").replace(' tag="001"', ""), "MARC_DIRECTORY_INVALID"),
        (f"<record><leader>{LEADER}</leader></record>", "MARC_DIRECTORY_INVALID"),
    ],
)
def test_what_cannot_be_read_is_set_aside_with_its_bytes(odd: str, code: str) -> None:
    found = among(odd)
    assert [(number, reason) for number, reason, _ in found.aside] == [(2, code)]
    assert found.aside[0][2].strip() == odd.encode()
    assert found.numbers == [1, 3, 4]


@pytest.mark.parametrize(
    ("odd", "code", "field"),
    [
        (record("5", "Æ<i>bl</i>er"), "MARC_MARKUP_IN_TEXT", FULL),
        (record("5", indicators='ind1="" ind2="0"'), "MARC_INDICATORS_WRONG", ("245", " 0", [("a", "Æbler")])),
        (record("5", indicators='ind1="12" ind2="ø"'), "MARC_INDICATORS_WRONG", ("245", "1 ", [("a", "Æbler")])),
        (record("5").replace('code="a"', 'code="ab"'), "MARC_SUBFIELD_CODE", FULL),
        (record("5").replace('code="a"', ""), "MARC_SUBFIELD_CODE", ("245", "10", [("?", "Æbler")])),
        (record("5").replace(LEADER, LEADER[:20]), "MARC_LEADER_LENGTH", FULL),
        (record("5").replace(f"<leader>{LEADER}</leader>", ""), "MARC_LEADER_LENGTH", FULL),
        (record("5").replace('"001"', '"1"'), "MARC_TAG_SHORT", FULL),
        (record("5", more='<datafield tag="500" ind1=" " ind2=" "></datafield>'), "MARC_FIELD_EMPTY", FULL),
        (record("5", more='<datafield tag="500" ind1=" " ind2=" "/>'), "MARC_FIELD_EMPTY", FULL),
        (record("5").replace('tag="245"', 'tag="2.5"'), "MARC_TAG_INVALID", ("2.5", "10", [("a", "Æbler")])),
        (record("5").replace('code="a"', 'code=" "'), "MARC_SUBFIELD_CODE", ("245", "10", [(" ", "Æbler")])),
        (record("5").replace('tag="245"', 'tag="005"'), "MARC_CONTROL_FIELD_DIVIDED", ("005", "10", [("a", "Æbler")])),
        (record("5").replace("<leader>", "<identifier>x</identifier><leader>"), "XML_ELEMENT_IGNORED", FULL),
    ],
)
def test_what_can_be_mended_is_and_is_said(odd: str, code: str, field: object) -> None:
    found = among(odd)
    assert found.issues == [(2, code)]
    assert found.records[1][1][:2] == [("001", "5"), field]
    assert found.outcomes == [0, 1, 0, 0]


def test_latin_1_in_a_file_that_says_utf_8_costs_its_record() -> None:
    content = document(record("1"), record("5", "MARK"), record("9")).replace(b"MARK", "Ærø".encode("latin-1"))
    found = Read(content)
    assert (found.numbers, found.aside[0][:2]) == ([1, 3], (2, "CHARSET_WRONG"))


@pytest.mark.parametrize(
    ("place", "byte", "code"),
    [('code="M"', b"\xc3", "CHARSET_WRONG"), ('code="M"', b"\0", "XML_UNREADABLE"), ('ind1="M"', b"\0", "XML_UNREADABLE")],
)
def test_a_code_or_indicator_that_is_no_character_costs_its_record(place: str, byte: bytes, code: str) -> None:
    name = place.split("=")[0]
    odd = record("5").replace({"code": 'code="a"', "ind1": 'ind1="1"'}[name], place)
    found = Read(document(record("1"), odd, record("9")).replace(b'"M"', b'"' + byte + b'"'))
    assert (found.numbers, found.aside[0][:2]) == ([1, 3], (2, code))


def test_a_truncated_file_costs_its_last_record() -> None:
    content = document(record("1"), record("2"))
    for cut in (b"</datafield>", b"</record>", b"bler"):
        found = Read(content[: content.rindex(cut)])
        assert (found.numbers, [code for _, code, _ in found.aside]) == ([1], ["MARC_TRUNCATED"])


def test_a_record_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("include.marc.marcxml.scan"), "LARGEST", 5000)
    found = Read(document(record("1"), record("2", "x" * 9000), record("3")), block=1000)
    assert found.records[0][1][0] == ("001", "1")
    assert found.aside[0][1] == "RECORD_TOO_LONG"
    assert found.records[-1][1][0] == ("001", "3")


@pytest.mark.parametrize("block", [60, 333, 1 << 20])
def test_what_lies_behind_an_end_that_is_none_is_set_aside_whole(block: int) -> None:
    half = record("2", "Before the end </record> and what stands behind it").replace("<record>", "<recor>")
    content = document(record("1"), half, record("3"))
    found = Read(content, block=block)
    assert [one[1][0] for one in found.records] == [("001", "1"), ("001", "3")]
    kept = b"".join(raw for _, _, raw in found.aside)
    assert b"Before the end </record> and what stands behind it</subfield>" in kept.replace(b"</record>and", b"</record> and")


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(40, 3000))
def test_no_damage_stops_the_reader_or_touches_a_record_far_away(seed: int, block: int) -> None:
    chance = random.Random(seed)
    records = [record(str(number), "t" * chance.randrange(30)) for number in range(9)]
    raw = bytearray(records[4].encode())
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(raw))
        raw[at : at + chance.randrange(4)] = chance.choice([b"", b"<", b">", b'"', b"\xff", b"&", b"</", b"<subfield", b"\0"])
    content = document(*records[:4], "DAMAGE", *records[5:]).replace(b"DAMAGE", bytes(raw))
    try:
        batches = list(scan(io.BytesIO(content), block=block))
    except Refused as refused:
        assert refused.code == "XML_DTD"
        return
    controls = [value for batch in batches for value in batch.control_numbers.to_pylist()]
    assert [number for number in controls if number and number in "012678"] == list("012678")
