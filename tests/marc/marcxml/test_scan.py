"""MARCXML and MarcXchange, however they are spelled, become the same rows."""

from __future__ import annotations

import random
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.marc.marcxml.documents import FULL, LEADER, SLIM, Read, among, document, record

pytestmark = pytest.mark.usefixtures("either_way")


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


def test_danmarc2_has_codes_beyond_ascii_and_subfields_below_010() -> None:
    one = record("5").replace(
        '<controlfield tag="001">5</controlfield>', '<datafield tag="001" ind1="0" ind2="0"><subfield code="a">5</subfield></datafield>'
    )
    one = one.replace("</datafield></record>", '<subfield code="ø">x</subfield></datafield></record>')
    found = Read(document(one, one), family="danmarc2")
    assert found.records[0][1] == [("001", "00", [("a", "5")]), ("245", "10", [("a", "Æbler"), ("ø", "x")])]
    assert found.issues == []
    assert Read(document(one)).issues == [(1, "MARC_CONTROL_FIELD_DIVIDED"), (1, "MARC_SUBFIELD_CODE")]


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
