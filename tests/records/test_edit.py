"""A record as text and back: what a person does not touch stays as it was."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engine.errors import Refused
from include.engine.quarantine.writing import Writing
from include.marc import marcxml
from include.marc.record import Field, Record
from include.records import lines
from include.records.edit import LONGEST, file_of, text_of
from tests.connectors.ils.marc_records import iso, record

MARC = Writing(form="iso2709", charset="declared", anyone=True)
VALUE = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=12)
CODE = st.sampled_from("abcx019")


def test_a_marc_record_that_is_not_touched_comes_back_byte_for_byte() -> None:
    whole = iso("a1", title="Højbjerg".encode(), extra=[("500", b"  \x1faPris: $ 5 og $a er ikke delfelt"), ("505", b"0 \x1fa\x1fbx")])
    assert file_of(text_of(whole, MARC) or "", MARC, like=whole, head=None) == whole


def test_a_damaged_marc_record_comes_back_whole() -> None:
    damaged = iso("a1")[:-3]
    text = (text_of(damaged, MARC) or "") + "500 ## $a Rettet\n"
    found = file_of(text, MARC, like=damaged, head=None)
    assert b"Rettet" in found
    assert found.endswith(b"\x1e\x1d")


@given(st.lists(st.tuples(st.sampled_from(["020", "245", "999"]), st.lists(st.tuples(CODE, VALUE), max_size=3)), min_size=1, max_size=4))
@pytest.mark.parametrize("family", ["marc21", "danmarc2"])
def test_lines_hold_whatever_a_field_does(family: str, fields: list[tuple[str, list[tuple[str, str]]]]) -> None:
    writing = Writing(family=family)  # type: ignore[arg-type]
    made = Record("00000nam a2200000 a 4500", [Field(tag, indicators="1 ", subfields=subfields) for tag, subfields in fields])
    assert lines.read(lines.written(made, writing), writing) == made


@pytest.mark.parametrize("text", ["245 Titel uden delfelt", "24 10 $a x", "LDR 00000nam a2200000 a 4500", "Titel: x"])
def test_a_line_that_is_no_field_is_named(text: str) -> None:
    with pytest.raises(Refused, match="line 1 is no field"):
        lines.read(text, MARC)


def test_xml_is_given_the_collection_that_its_file_had() -> None:
    writing = Writing(form="xml", anyone=True)
    for raw in (record("a1").encode(), record("a1").replace("<", "<marc:").replace("<marc:/", "</marc:").encode()):
        made = file_of((text_of(raw, writing) or "").replace("Æbler", "Ærter"), writing, like=raw, head=None)
        [batch] = list(marcxml.scan(BytesIO(made)))
        assert (len(batch), batch.aside.num_rows) == (1, 0)
        assert "Ærter" in batch.value.to_pylist()[-1]
    for bad, code in (("<a>", "XML_UNREADABLE"), ("<a/><b/>", "XML_UNREADABLE"), ("<!DOCTYPE a><a/>", "XML_DTD")):
        with pytest.raises(Refused, match=code):
            file_of(bad, writing, like=b"<a/>", head=None)


def test_a_line_of_csv_stands_below_its_own_header_in_its_own_character_set() -> None:
    writing = Writing(form="delimited", header=True, charset="windows-1252")
    assert text_of("1;Ærø\r\n".encode("windows-1252"), writing) == "1;Ærø"
    assert file_of("1;Ærø\r\n", writing, like=b"", head=b"a;b\r\n2;x\r\n") == "a;b\n1;Ærø\n".encode("windows-1252")
    with pytest.raises(Refused, match="CHARSET_WRONG"):
        file_of("1;Łódź", writing, like=b"", head=b"a;b\n")
    with pytest.raises(Refused, match="HEADER_MISSING"):
        file_of("1;x", writing, like=b"", head=None)
    with pytest.raises(Refused, match="RECORD_EMPTY"):
        file_of(" \n", writing, like=b"", head=b"a;b\n")


def test_bytes_of_another_character_set_are_shown_as_what_they_likely_are() -> None:
    assert text_of("1,Ærø".encode("windows-1252"), Writing(form="delimited")) == "1,Ærø"


def test_a_record_that_is_too_long_is_not_mended_in_a_page() -> None:
    assert text_of(b"x" * (LONGEST + 1), Writing()) is None
