"""Records as MARCXML elements: what any XML parser reads is what the batch holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from include.marc.batch import Batch, Tags
from include.marc.build import Found, build
from include.marc.record import NAMESPACE, NOT_XML, Field, Record
from include.marc.write.marcxml import elements
from tests.marc.test_batch import LEADER, records


def batch(*given: Record) -> Batch:
    return build([Found(record, number) for number, record in enumerate(given, start=1)], Tags())


@given(st.lists(records, max_size=4))
def test_a_parser_reads_what_the_batch_holds(given: list[Record]) -> None:
    found = elements(batch(*given))
    found.validate(full=True)
    assert [read(etree.fromstring(one)) for one in found.to_pylist()] == [as_xml_can(record) for record in given]


def read(element: etree._Element) -> Record:
    parts = list(element)
    record = Record(parts[0].text or "", [])
    for part in parts[1:]:
        if part.tag.endswith("controlfield"):
            record.fields.append(Field(part.get("tag", ""), data=part.text or ""))
        else:
            subfields = [(sub.get("code", ""), sub.text or "") for sub in part]
            record.fields.append(Field(part.get("tag", ""), indicators=part.get("ind1", "") + part.get("ind2", ""), subfields=subfields))
    return record


def as_xml_can(record: Record) -> Record:
    """Without what XML forbids."""
    fields = [
        Field(
            NOT_XML.sub("?", field.tag),
            None if field.data is None else clean(field.data),
            field.indicators,
            [(NOT_XML.sub("?", code), clean(value)) for code, value in field.subfields],
        )
        for field in record.fields
    ]
    return Record(record.leader, fields)


def clean(text: str) -> str:
    return NOT_XML.sub("", text)


def test_text_without_a_code_stands_under_a_question_mark() -> None:
    field = Field("500", indicators="  ", subfields=[("a", "x & <y>")])
    one = batch(Record(LEADER, [field, Field("501", indicators="1 ")]))
    assert elements(one)[0].as_py() == (
        f'<record xmlns="{NAMESPACE}"><leader>{LEADER}</leader><datafield tag="500" ind1=" " ind2=" "><subfield code="a">x &amp; &lt;y&gt;'
        '</subfield></datafield><datafield tag="501" ind1="1" ind2=" "></datafield></record>'
    )
    one.code[1] = 0
    assert '<subfield code="?">x &amp;' in elements(one)[0].as_py()
