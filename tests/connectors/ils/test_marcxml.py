"""MARCXML: no document type is let in, and a record that is no XML costs its neighbours nothing."""

from __future__ import annotations

import pytest
from lxml import etree

from include.engine.errors import Refused
from include.marc.record import NAMESPACE
from tests.connectors.ils.marc_records import TITLE, profile, record, xml
from tests.connectors.ils.reading import Result, read_all


def read(content: bytes) -> Result:
    return read_all(content, "bibliographic", profile("marcxml", "utf-8"))


def numbers(result: Result) -> list[str]:
    return [row["control_number"] for row in result.rows["bibliographic"]]


def among(damaged: str) -> Result:
    result = read(xml(record("1"), damaged, record("8"), record("9")))
    assert numbers(result)[0] == "1"
    assert numbers(result)[-2:] == ["8", "9"]
    return result


def test_records_become_rows_and_can_be_written_again() -> None:
    result = read(xml(record("1"), record("2")))
    assert numbers(result) == ["1", "2"]
    row = result.rows["bibliographic"][0]
    assert row["title"] == TITLE
    parsed = etree.fromstring(row["marcxml"])
    assert parsed.findtext(f"{{{NAMESPACE}}}datafield/{{{NAMESPACE}}}subfield") == f"{TITLE} /"


@pytest.mark.parametrize(
    "head",
    [
        "<!DOCTYPE collection>",
        '<?xml version="1.0"?><!DOCTYPE c [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE c [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE c SYSTEM "http://example.org/x.dtd">',
    ],
)
def test_a_document_type_is_refused(head: str) -> None:
    with pytest.raises(Refused) as refused:
        read(xml(record("1"), head=head))
    assert refused.value.code == "XML_DTD"


def test_a_document_type_is_refused_wherever_it_hides() -> None:
    for hidden in ("<!DOCTYPE x>", record("5").replace("<leader>", '<!ENTITY x "y"><leader>')):
        with pytest.raises(Refused, match="XML_DTD"):
            read(xml(record("1"), hidden, record("2")))


def test_an_entity_that_nobody_declared_sets_the_record_aside() -> None:
    assert among(record("5", "&xxe;")).reasons == ["XML_UNREADABLE"]


def test_deep_nesting_sets_the_record_aside() -> None:
    assert among(record("5", "<i>" * 3000 + "x" + "</i>" * 3000)).reasons == ["XML_TOO_DEEP"]
    assert among(record("5", "<i>" * 60 + "x" + "</i>" * 60)).reasons == ["XML_TOO_DEEP"]


def test_characters_that_xml_forbids_set_the_record_aside() -> None:
    assert among(record("5", "a\x01b")).reasons == ["XML_CHARACTER_INVALID"]
    assert among(record("5", "a&#1;b")).reasons == ["XML_CHARACTER_INVALID"]


def test_latin_1_declared_utf_8_sets_the_record_aside() -> None:
    content = xml(record("1"), record("5", "MARK"), record("9")).replace(b"MARK", "Ærø".encode("latin-1"))
    result = read(content)
    assert (numbers(result), result.reasons) == (["1", "9"], ["CHARSET_WRONG"])


def test_a_declared_encoding_is_kept_to() -> None:
    content = xml(record("1"), head='<?xml version="1.0" encoding="ISO-8859-1"?>').decode().encode("latin-1")
    assert read(content).rows["bibliographic"][0]["title"] == TITLE


@pytest.mark.parametrize("damaged", [record("5").replace("</record>", ""), record("5").replace("</datafield>", "")])
def test_a_record_with_a_missing_end_is_set_aside(damaged: str) -> None:
    assert among(damaged).reasons == ["XML_UNREADABLE"]


def test_a_record_that_lost_its_start_is_set_aside() -> None:
    assert among(record("5").replace("<record>", "")).reasons == ["XML_UNREADABLE"]


def test_a_truncated_file_costs_its_last_record() -> None:
    content = xml(record("1"), record("2"))
    result = read(content[: content.rindex(b"</datafield>")])
    assert (numbers(result), result.reasons) == (["1"], ["MARC_TRUNCATED"])


def test_html_inside_a_subfield_is_taken_off_and_said() -> None:
    result = among(record("5", "A <i>fine</i> title"))
    assert result.rows["bibliographic"][1]["title"] == "A fine title"
    assert result.warnings == {"MARC_MARKUP_IN_TEXT": 1}


def test_prefixes_and_marcxchange_are_read() -> None:
    prefixed = record("5").replace("<", "<m:").replace("<m:/", "</m:")
    result = read(xml(prefixed, root='m:collection xmlns:m="info:lc/xmlns/marcxchange-v1"'))
    assert numbers(result) == ["5"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<collection/>", "XML_NO_RECORDS"),
        (b"", "XML_NO_RECORDS"),
        (xml(record("1"), head='<?xml version="1.0" encoding="utf-7"?>'), "CHARSET_REFUSED"),
    ],
)
def test_a_file_without_records_that_can_be_read_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(Refused) as refused:
        read(content)
    assert refused.value.code == code
