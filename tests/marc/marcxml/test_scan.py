"""MARCXML and MarcXchange, however they are spelled: each record clean, repaired, or set aside with its bytes; its neighbours untouched."""

from __future__ import annotations

import importlib
import io
import random
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.engine.errors import Refused
from include.engine.reasons import reason
from include.marc.charsets import NAMES
from include.marc.marcxml import compiled, scan, shards
from tests.marc.marcxml.documents import LEADER, SLIM, Read, document, record


@pytest.fixture(params=["compiled", "numpy"], autouse=True)
def _either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test twice: by the compiled kernel, where there is a compiler, and by NumPy."""
    if request.param == "numpy":
        monkeypatch.setattr(compiled, "functions", lambda: None)
    elif compiled.functions() is None:
        pytest.skip("there is no C compiler")


FULL = ("245", "10", [("a", "Æbler")])


def among(odd: str) -> Read:
    """An odd record between good ones, which must all come through."""
    found = Read(document(record("1"), odd, record("8"), record("9")))
    assert [fields[0] for _, fields in found.records][-2:] == [("001", "8"), ("001", "9")]
    assert found.records[0][1][0] == ("001", "1")
    for _, code, *_ in [*found.issues, *found.aside]:
        assert reason(code).kind == "record"
    return found


def test_a_document_becomes_rows() -> None:
    found = Read(
        document(record("1"), record("2", more='<datafield tag="500" ind1=" " ind2=" "><subfield code="a"></subfield></datafield>'))
    )
    assert found.records == [(LEADER, [("001", "1"), FULL]), (LEADER, [("001", "2"), FULL, ("500", "  ", [("a", "")])])]
    assert (found.issues, found.aside, found.outcomes, found.numbers) == ([], [], [0, 0], [1, 2])


def test_each_record_knows_its_place() -> None:
    content = document(record("1"), record("2"))
    for offset, length in Read(content).places:
        raw = content[offset : offset + length]
        assert raw.startswith(b"<record>")
        assert raw.endswith(b"</record>")


@pytest.mark.parametrize(
    "root",
    [
        f"collection {SLIM}",
        "collection",
        'm:collection xmlns:m="info:lc/xmlns/marcxchange-v1"',
        'marcx:collection xmlns:marcx="info:lc/xmlns/marcxchange-v2"',
    ],
)
def test_any_namespace_and_prefix_will_do(root: str) -> None:
    prefix = root.split("collection")[0]
    one = record("5").replace("</", "\0").replace("<", f"<{prefix}").replace("\0", f"</{prefix}")
    assert Read(document(one, one, root=root)).titles == ["Æbler", "Æbler"]


@pytest.mark.parametrize(
    "spelled",
    [
        '<record format="danMARC2" type="Bibliographic">' + record("5")[8:],
        record("5").replace('tag="245" ind1="1" ind2="0"', "ind2 = '0' ind1='1'\n tag='245'"),
        record("5").replace("</subfield>", "</subfield >").replace("</record>", "</record\n>"),
        record("5", "<![CDATA[Æbler]]>"),
        record("5", "Æ<!-- not </record> yet -->bl<?php <record> ?>er"),
        record("5", "&#198;bl&#x65;r"),
        record("5").replace("<datafield", "  <!-- a comment -->\n  <datafield"),
        record("5").replace('code="a"', 'authority="x" code="a"'),
        record("5").replace("><", ">\r\n\t<"),
        f"<x:y xmlns:x='urn:x'>{record('5')}</x:y>",
    ],
)
def test_other_spellings_say_the_same(spelled: str) -> None:
    found = among(spelled)
    assert found.records[1] == (LEADER, [("001", "5"), FULL])
    assert (found.issues, found.aside) == ([], [])


def test_line_ends_are_read_as_xml_reads_them() -> None:
    assert among(record("5", "a\r\nb\rc\nd&#13;e")).titles[1] == "a\nb\nc\nd\re"


def test_predefined_entities_are_resolved_once() -> None:
    assert among(record("5", "A &amp;amp; B &lt;i&gt; &quot;&apos;")).titles[1] == "A &amp; B <i> \"'"


def test_records_that_are_commented_out_are_none() -> None:
    found = Read(document(record("1"), f"<!-- {record('2')} -->", record("3")))
    assert [fields[0][1] for _, fields in found.records] == ["1", "3"]


def test_envelopes_of_oai_and_sru_are_looked_into() -> None:
    oai = f"<record><header><identifier>oai:x:1</identifier></header><metadata>{record('1')}</metadata></record>"
    deleted = '<record><header status="deleted"><identifier>oai:x:2</identifier></header></record>'
    prefixed = (
        f"<record><header/><metadata>{record('3').replace('</', 'EEE').replace('<', '<m:').replace('EEE', '</m:')}</metadata></record>"
    )
    sru = f"<zs:record><zs:recordData>{record('4')}</zs:recordData></zs:record>"
    found = Read(document(oai, deleted, prefixed, sru))
    assert [fields[0][1] for _, fields in found.records] == ["1", "3", "4"]
    assert (found.issues, found.aside) == ([], [])


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


def test_danmarc2_has_codes_beyond_ascii_and_subfields_below_010() -> None:
    one = record("5").replace(
        '<controlfield tag="001">5</controlfield>', '<datafield tag="001" ind1="0" ind2="0"><subfield code="a">5</subfield></datafield>'
    )
    one = one.replace("</datafield></record>", '<subfield code="ø">x</subfield></datafield></record>')
    found = Read(document(one, one), family="danmarc2")
    assert found.records[0][1] == [("001", "00", [("a", "5")]), ("245", "10", [("a", "Æbler"), ("ø", "x")])]
    assert found.issues == []
    assert Read(document(one)).issues == [(1, "MARC_CONTROL_FIELD_DIVIDED"), (1, "MARC_SUBFIELD_CODE")]


@pytest.mark.parametrize("encoding", ["iso-8859-1", "windows-1252", "utf-16", "utf-16-le", "utf-16-be"])
def test_other_encodings_are_read_with_places_and_bytes_of_the_file(encoding: str) -> None:
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    bad = record("5", "Ærø & Als")
    content = (
        document(record("1", "Ærø 😀" if encoding.startswith("utf") else "Ærø"), bad, record("9"), head=head).decode().encode(encoding)
    )
    found = Read(content, block=300)
    assert [fields[0][1] for _, fields in found.records] == ["1", "9"]
    assert found.titles[0].startswith("Ærø")
    name = "utf-16-le" if encoding == "utf-16" else encoding
    for offset, length in found.places:
        assert content[offset : offset + length].decode(name).startswith("<record>")
    offset, length = found.asides[0]
    assert found.aside[0][2] == content[offset : offset + length] == bad.encode(name)
    assert set(found.charsets) == {NAMES.index(encoding) if encoding in NAMES else 0}


def test_what_an_encoding_cannot_hold_costs_its_record() -> None:
    head = '<?xml version="1.0" encoding="windows-1252"?>'
    content = document(record("1"), record("5", "MARK"), record("9"), head=head).decode().encode("cp1252").replace(b"MARK", b"\x81")
    found = Read(content)
    assert (found.numbers, found.aside[0][1]) == ([1, 3], "CHARSET_WRONG")
    assert b"\x81" in found.aside[0][2]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<collection/>", "XML_NO_RECORDS"),
        (b"", "XML_NO_RECORDS"),
        (document(record("1"), head='<?xml version="1.0" encoding="cp500"?>'), "CHARSET_REFUSED"),
        (document(record("1")).decode().encode("utf-32"), "CHARSET_REFUSED"),
        (document(record("1"), head="<!DOCTYPE collection>"), "XML_DTD"),
        (document(record("1"), head='<!DOCTYPE c [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'), "XML_DTD"),
        (document(record("1"), record("2").replace("<leader>", '<!ENTITY x "y"><leader>')), "XML_DTD"),
    ],
)
def test_a_file_that_must_not_or_cannot_be_read_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(Refused) as refused:
        Read(content)
    assert refused.value.code == code


def test_a_byte_order_mark_is_passed_over() -> None:
    found = Read(b"\xef\xbb\xbf" + document(record("1")))
    assert found.places[0][0] == 3 + document(record("1")).index(b"<record>")


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


@pytest.mark.parametrize("block", [60, 333, 1 << 20])
def test_what_lies_behind_an_end_that_is_none_is_set_aside_whole(block: int) -> None:
    half = record("2", "Before the end </record> and what stands behind it").replace("<record>", "<recor>")
    content = document(record("1"), half, record("3"))
    found = Read(content, block=block)
    assert [one[1][0] for one in found.records] == [("001", "1"), ("001", "3")]
    kept = b"".join(raw for _, _, raw in found.aside)
    assert b"Before the end </record> and what stands behind it</subfield>" in kept.replace(b"</record>and", b"</record> and")


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


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff") | st.sampled_from("\t\n"), max_size=12)
FIELD = st.one_of(
    st.tuples(st.sampled_from(["001", "005", "008"]), TEXT),
    st.tuples(
        st.sampled_from(["100", "245", "9ab"]),
        st.text("01 a", min_size=2, max_size=2),
        st.lists(st.tuples(st.sampled_from("abz0$"), TEXT), max_size=4),
    ),
)


def spelled(fields: list[tuple], chance: random.Random) -> str:
    """The same record in one of many spellings."""
    blank, quote = chance.choice(["", "\n", "  "]), chance.choice("\"'")
    parts = [f"<record>{blank}<leader>{LEADER}</leader>"]
    for field in fields:
        if len(field) == 2:
            parts.append(f"{blank}<controlfield tag={quote}{field[0]}{quote}>{escape(field[1])}</controlfield>")
            continue
        attributes = [f"tag={quote}{field[0]}{quote}", f"ind1={quote}{field[1][0]}{quote}", f"ind2={quote}{field[1][1]}{quote}"]
        if chance.random() < 0.3:
            attributes.reverse()
        parts.append(f"{blank}<datafield {' '.join(attributes)}>")
        for code, value in field[2]:
            text = f"<![CDATA[{value}]]>" if chance.random() < 0.1 and "]]>" not in value else escape(value)
            parts.append(f"<subfield code={quote}{code}{quote}>{text}</subfield>")
        parts.append("</datafield>")
    return "".join(parts) + f"{blank}</record>"


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(FIELD, min_size=1, max_size=5), min_size=1, max_size=6), st.randoms(use_true_random=False), st.integers(50, 2000))
def test_what_is_written_in_any_spelling_is_read(records: list[list[tuple]], chance: random.Random, block: int) -> None:
    content = document(*(spelled(fields, chance) for fields in records))
    found = Read(content, block=block)
    assert found.records == [(LEADER, fields) for fields in records]
    assert not found.aside


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
