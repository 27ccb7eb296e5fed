"""Records are told from whatever looks like them: records inside records, comments, sections."""

from __future__ import annotations

import pytest

from connectors.oai_pmh.harvest.spans import spans

PAGE = b'<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/" xmlns:o="a"><ListRecords>%s</ListRecords></OAI-PMH>'


def record(number: int, attributes: bytes = b"", header: bytes = b"", inside: bytes = b"<x/>") -> bytes:
    known = b"<header%s><identifier>%d</identifier><datestamp>2020-01-01</datestamp></header>" % (header, number)
    return b"<record%s>%s<metadata>%s</metadata></record>" % (attributes, known, inside)


CASES = {
    "none": [],
    "an attribute with a >": [record(1), record(2, attributes=b' a="x>y"'), record(3, attributes=b" b='>'")],
    "a header's attribute with a >": [record(1), record(2, header=b' status="a>b"'), record(3)],
    "a MARC record inside": [record(1, inside=b'<record xmlns="m"><leader/></record>'), record(2)],
    "an OAI record inside": [record(1), record(2, inside=record(9)), record(3)],
    "an OAI record inside the last": [record(1), record(2, inside=record(9))],
    "no header": [record(1), b"<record><metadata/></record>", record(3)],
    "an instruction": [record(1), b"<?pi <record><header>?>", record(3)],
    "a comment": [record(1), b"<!-- <record><header> </record> -->", record(3)],
    "a CDATA section": [record(1, inside=b"<x><![CDATA[</record><record><header>]]></x>"), record(2)],
    "names that begin alike": [record(1, inside=b"<recording/>"), record(2, inside=b"<records><headers/></records>")],
    "prefixes": [b"<o:record><o:header/></o:record>", b"<o:record>\n <o:header/></o:record >"],
}


@pytest.mark.parametrize("records", CASES.values(), ids=CASES)
def test_records_are_found_whatever_is_inside_or_between_them(records: list[bytes]) -> None:
    page = PAGE % b"".join(records)
    assert [page[span.start : span.end] for span in spans(page, "record")] == [
        one for one in records if one.startswith((b"<record", b"<o:record"))
    ]
