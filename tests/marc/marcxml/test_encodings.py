"""XML in other encodings, and files that must not or cannot be read."""

from __future__ import annotations

import pytest

from include.engine.errors import Refused
from include.marc.charsets import NAMES
from tests.marc.marcxml.documents import Read, document, record

pytestmark = pytest.mark.usefixtures("either_way")


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


def test_a_byte_order_mark_is_passed_over() -> None:
    found = Read(b"\xef\xbb\xbf" + document(record("1")))
    assert found.places[0][0] == 3 + document(record("1")).index(b"<record>")


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
