"""A lake row into what harvesters get: MARC that is written anew, Dublin Core, identifiers, saved queries."""

from __future__ import annotations

import io
from pathlib import Path

import pymarc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from connectors.oai_pmh.provider import marc, queries
from connectors.oai_pmh.provider.bodies import pack, unpack
from connectors.oai_pmh.provider.compose import Rules, compose, local_id, parts_of
from connectors.oai_pmh.provider.dublin_core import dublin_core
from connectors.oai_pmh.provider.formats import MARC, MARC21, PLAIN
from connectors.oai_pmh.provider.settings import OaiProvider
from include.engine.errors import SettingsError
from include.marc.record import Field, Record
from include.marc.record import marcxml as written
from tests.connectors.oai_pmh.provider.house import marcxml, row

RULES = Rules("lindeby", OaiProvider(), ())
texts = st.text(st.characters(codec="utf-8"), max_size=40)
codes = st.sampled_from("abcdefgh0129")


@given(
    st.lists(
        st.tuples(st.sampled_from(["100", "245", "300", "650"]), st.lists(st.tuples(codes, texts), min_size=1, max_size=4)),
        min_size=1,
        max_size=6,
    )
)
def test_every_subfield_comes_through_as_it_was(fields: list[tuple[str, list[tuple[str, str]]]]) -> None:
    record = Record("0" * 24, [Field(tag, indicators="1 ", subfields=subfields) for tag, subfields in fields])
    inside, slim = marc.body(written(record), ())
    assert slim
    root = etree.fromstring(b"<record>" + inside + b"</record>")
    found = [(field.get("tag"), [(part.get("code"), part.text or "") for part in field]) for field in root[1:]]
    clean = etree.fromstring(written(record))
    assert found == [(field.get("tag"), [(part.get("code"), part.text or "") for part in field]) for field in clean[1:]]


def test_pymarc_reads_what_we_give() -> None:
    inside, _ = marc.body(marcxml("1", "Blåbær &amp; <![CDATA[<tyttebær>]]>"), marc.LOCAL)
    document = b'<collection xmlns="http://www.loc.gov/MARC21/slim"><record>' + inside + b"</record></collection>"
    [record] = pymarc.parse_xml_to_array(io.BytesIO(document))
    assert record["245"]["a"] == "Blåbær & <tyttebær>"


def test_fields_of_the_houses_own_stay_here() -> None:
    own = "".join(
        f'<datafield tag="{tag}" ind1=" " ind2=" "><subfield code="a">x</subfield></datafield>'
        for tag in ("099", "490", "590", "691", "952")
    )
    inside, _ = marc.body(marcxml("1", "T", own), marc.LOCAL)
    assert b'tag="490"' in inside
    assert not any(f'tag="{tag}"'.encode() in inside for tag in ("099", "590", "691", "952"))
    assert b'tag="952"' in marc.body(marcxml("1", "T", own), ())[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no xml",
        "<record>",
        "<collection/>",
        '<!DOCTYPE record [<!ENTITY a "b">]><record><leader>x</leader></record>',
        "<record/>",
        "<record><leader>x</leader></record>",
        marcxml("1", "T", "<script/>"),
        marcxml("1", "T", '<datafield tag="24" ind1=" " ind2=" "/>'),
        marcxml("1", "T", '<datafield tag="246" ind1="12" ind2=" "/>'),
        marcxml("1", "T", '<datafield tag="246" ind1=" " ind2=" "><subfield code="a"><b/></subfield></datafield>'),
        marcxml("1", "T", '<datafield tag="246" ind1=" " ind2=" "><subfield code="">x</subfield></datafield>'),
    ],
)
def test_marc_that_cannot_be_read_is_not_handed_on_and_the_record_is_still_had_as_dublin_core(text: str) -> None:
    with pytest.raises(marc.Unusable):
        marc.body(text, ())
    made = compose(row(1, marcxml=text or "x"), RULES)
    assert (made.kind, made.marc, made.unusable) == (PLAIN, None, True)
    assert made.dc is not None


def test_attributes_prefixes_comments_and_instructions_of_the_original_do_not_get_through() -> None:
    text = marcxml("1", "T").replace("<record ", "<m:record ").replace("</record>", "</m:record>").replace("xmlns=", "xmlns:m=")
    text = (
        text.replace("<datafield", '<!-- c --><?php x?><datafield onclick="x"')
        .replace("<leader", "<m:leader")
        .replace("</leader", "</m:leader")
    )
    inside, _ = marc.body(text, ())
    assert b"onclick" not in inside
    assert b"php" not in inside
    assert b"<!--" not in inside
    assert inside.startswith(b"<leader>")


def test_characters_that_xml_forbids_are_taken_out() -> None:
    assert b"T\x01" not in marc.body(marcxml("1", "T\x01u"), ())[0]
    made = row(1, title="A\x02B", subtitle="C\ufffe")
    assert b"<dc:title>AB : C</dc:title>" in dublin_core(made, None)


def test_what_class_a_record_is_of() -> None:
    danmarc = marcxml("1", "T", '<datafield tag="001" ind1="0" ind2="0"><subfield code="a">1</subfield></datafield>')
    assert compose(row(1), RULES).kind == MARC21
    assert compose(row(1, marcxml=danmarc), RULES).kind == MARC  # it says marc21, and is none
    assert compose(row(1, format="unimarc"), RULES).kind == MARC
    assert compose(row(1, marcxml=None), RULES).kind == PLAIN


def test_dublin_core_says_what_the_columns_say() -> None:
    made = row(
        51, title="Huset", subtitle="ved havet", contributors=["Ærø, Bo", "Dahl & Søn"], publisher="P", published="[2019?]", year=2019,
        language="dan", isbn=["9788702000016"], issn=["03178471"], subjects=["hav"], classification="86-096", material_type="ebook",
    )  # fmt: skip
    assert dublin_core(made, "CC0").decode() == (
        "<dc:title>Huset : ved havet</dc:title><dc:creator>Ærø, Bo</dc:creator><dc:creator>Dahl &amp; Søn</dc:creator><dc:subject>hav</dc:subject>"
        "<dc:subject>86-096</dc:subject><dc:publisher>P</dc:publisher><dc:date>2019</dc:date><dc:type>Text</dc:type><dc:type>ebook</dc:type>"
        "<dc:identifier>(DK-799001)51</dc:identifier><dc:identifier>urn:isbn:9788702000016</dc:identifier><dc:identifier>urn:issn:03178471</dc:identifier>"
        "<dc:language>dan</dc:language><dc:rights>CC0</dc:rights>"
    )


@given(st.binary(max_size=3000))
def test_a_body_comes_back_as_it_was(body: bytes) -> None:
    assert unpack(pack(body)) == body


@given(texts, texts)
def test_an_identifier_says_which_record_it_is(agency: str, number: str) -> None:
    local = local_id("lindeby", agency, number)
    assert parts_of(local) == ("lindeby", agency, number)
    assert local.isascii()
    assert not any(letter in local for letter in ' <>&"')


@pytest.mark.parametrize(
    ("where", "taken"),
    [
        ("{partner: lindeby}", True),
        ("{partner: almvik}", False),
        ("{language: [dan, swe]}", True),
        ("{subjects: 'HAV*'}", True),
        ("{subjects: hav}", False),
        ("{year: 2019}", True),
        ("{year: '2020..'}", False),
        ("{year: ['..1899', 2019..2020]}", True),
        ("{publisher: '*'}", False),
        ("{title: huset*, language: dan}", True),
        ("{title: huset*, language: swe}", False),
    ],
)
def test_a_saved_query_takes_the_records_that_it_describes(tmp_path: Path, where: str, taken: bool) -> None:
    (tmp_path / "sets.yaml").write_text(f"one: {{name: One, where: {where}}}")
    [query] = queries.load(tmp_path / "sets.yaml")
    made = row(1, language="dan", subjects=["havet", "huse"], year=2019) | {"partner": "lindeby"}
    assert query.takes(made) is taken


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: {name: A}", "where"),
        ("a: {name: A, where: {}}", "where"),
        ("a: {name: A, where: {colour: red}}", "colour"),
        ("A b: {name: A, where: {title: x}}", "no name"),
        ("a: {name: A, where: {year: nineteen}}", "no year"),
        ("a: [", "no YAML"),
    ],
)
def test_saved_queries_that_cannot_be_used_are_told_of(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "sets.yaml").write_text(text)
    with pytest.raises(SettingsError, match=words):
        queries.load(tmp_path / "sets.yaml")
    with pytest.raises(SettingsError, match="cannot be read"):
        queries.load(tmp_path / "other.yaml")
