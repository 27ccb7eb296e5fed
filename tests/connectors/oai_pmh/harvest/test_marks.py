"""A page that is read in one pass is one that a parser takes, and its records are those that a parser and the patterns find in it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.oai_pmh.harvest import marks as marking
from connectors.oai_pmh.harvest.columns import Columns, columns, moments
from connectors.oai_pmh.harvest.marks import is_utf8, marks
from connectors.oai_pmh.harvest.page import BadPage, Page, fault_of, page_of
from connectors.oai_pmh.harvest.spans import spans
from tests.connectors.oai_pmh.harvest.test_spans import CASES, PAGE

FIELD = '<datafield tag="245"><subfield code="a">Ön &amp; Åen ]]</subfield></datafield>'
MARC = f'<record xmlns="http://www.loc.gov/MARC21/slim"><leader>x</leader>{FIELD}</record>'
HEADER = "<header{status}><identifier>oai:x:{number}</identifier><datestamp>2020-01-0{number}T00:00:00Z</datestamp>{sets}</header>"
RECORD = "<record>{header}<metadata>{inside}</metadata>{about}</record>\n"


def page(*records: str, verb: str = "ListRecords", root: str = "") -> bytes:
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"{root}>'
    ask = f"<responseDate>2026-11-22T00:00:00Z</responseDate><request verb='{verb}'>http://x/oai?a=1&amp;b=2</request>"
    token = '<resumptionToken completeListSize="3">a&#x26;b</resumptionToken>'
    return f"{head}{ask}<{verb}>{''.join(records)}{token}</{verb}></OAI-PMH>\n".encode()


def record(number: int = 1, *, status: str = "", sets: str = "", inside: str = MARC, about: str = "", header: str = HEADER) -> str:
    return RECORD.format(header=header.format(number=number, status=status, sets=sets), inside=inside, about=about)


PLAIN = {
    "records": page(record(1), record(2, sets="<setSpec>a</setSpec><setSpec> b:c </setSpec>"), record(3)),
    "a deleted one": page(record(1), record(2, status=" status='deleted'"), record(3, status=' status = " deleted "')),
    "no metadata": page("<record><header><identifier>a</identifier><datestamp>2020-01-01</datestamp></header></record>", record(2)),
    "empty metadata": page(
        record(1, inside=""), "<record><header><identifier>a</identifier></header><metadata/></record>", record(2, inside=" \n")
    ),
    "no datestamp": page("<record><header><identifier>a</identifier></header><metadata><a xmlns='b'/></metadata></record>", record(2)),
    "an about": page(record(1, about="<about><metadata><x/></metadata></about>"), record(2)),
    "a prefix of its own": page(record(1, inside='<m:record xmlns:m="http://m"><m:leader m:a="1" b="2">]</m:leader></m:record>')),
    "no record": page(),
    "a list without a prefix": page(record(1)).replace(b"oai:x:1", b" oai:x:1\n"),
}
ODD = {
    "an ampersand in an identifier": page(record(1), record(2, header=HEADER.replace("oai:x:", "oai:x?a&amp;b:"))),
    "no identifier": page(record(1), "<record><header><datestamp>2020-01-01</datestamp></header></record>"),
    "an empty identifier": page(record(1, header=HEADER.replace("oai:x:{number}", " "))),
    "two identifiers": page(record(1, header=HEADER.replace("</header>", "<identifier>other</identifier></header>"))),
    "no header": page("<record><metadata><x xmlns='y'/></metadata></record>", record(2)),
    "a namespace from around": page(record(1, inside="<x:a b='c'/>"), root=' xmlns:x="http://x"'),
    "an attribute's namespace from around": page(record(1, inside="<a xmlns='b' x:c='d'/>"), root=' xmlns:x="http://x"'),
    "the namespace of OAI-PMH": page(record(1, inside="<a/>")),
    "two elements": page(record(1, inside="<a xmlns='b'/><c xmlns='b'/>")),
    "text beside": page(record(1, inside="text <a xmlns='b'/>")),
    "a letter at an identifier's end": page(record(1, header=HEADER.replace("</identifier>", "å</identifier>"))),
}
NOT_PLAIN = {
    "a declaration of another version": PLAIN["records"].replace(b'"1.0"', b'"9.0"'),
    "a comment": page(record(1), "<!-- -->", record(2)),
    "CDATA": page(record(1, inside="<a><![CDATA[<]]></a>")),
    "an instruction": page(record(1), "<?x?>"),
    "letters in names": page(record(1, inside="<å xmlns='b'/>")),
    "a default namespace undone": page(record(1, inside='<a xmlns="b"><c xmlns=""/></a>'), record(2)).replace(b'xmlns=""', b'xmlns:x=""'),
}
NO_XML = {
    "cut": PLAIN["records"][:-30],
    "an open tag": page(record(1).replace("</leader>", "")),
    "crossed tags": page(record(1, inside="<a xmlns='b'><c></a></c>")),
    "an entity that XML does not know": page(record(1).replace("&amp;", "&nbsp;")),
    "a bare ampersand": page(record(1).replace("&amp;", "&")),
    "a character that XML has not": page(record(1).replace("&amp;", "&#8;")),
    "a control character": page(record(1).replace("&amp;", "\x08")),
    "U+FFFF": page(record(1).replace("&amp;", "\uffff")),
    "a surrogate by number": page(record(1).replace("&amp;", "&#xD800;")),
    "beyond Unicode": page(record(1).replace("&amp;", "&#x110000;")),
    "the end of CDATA": page(record(1).replace("]]", "]]>")),
    "an attribute twice": page(record(1, inside="<a xmlns='b' c='d' c='e'/>")),
    "an attribute twice by its namespace": page(record(1, inside="<a xmlns:x='b' xmlns:y='b' x:c='d' y:c='e'/>")),
    "a prefix that nobody declares": page(record(1, inside="<x:a/>")),
    "a prefix that is out of scope": page(record(1, inside="<a xmlns='b'><c xmlns:x='d'/><x:e/></a>")),
    "a < in an attribute": page(record(1, inside="<a xmlns='b' c='<'/>")),
    "no blank between attributes": page(record(1, inside="<a xmlns='b'c='d'/>")),
    "an attribute without quotes": page(record(1, inside="<a b=c/>")),
    "two roots": PLAIN["records"].rstrip() + b"<a/>",
    "text behind the root": PLAIN["records"] + b"x",
    "nothing": b"",
}


@pytest.mark.parametrize("content", (PLAIN | ODD).values(), ids=PLAIN | ODD)
def test_a_plain_page_is_told_as_a_parser_tells_it(content: bytes) -> None:
    content = content.rstrip()
    found = marks(content, "record")
    assert found is not None
    assert fault_of(content) is None
    assert list(zip(found.start.tolist(), found.end.tolist(), strict=True)) == [(one.start, one.end) for one in spans(content, "record")]
    same_columns(content)


@pytest.mark.parametrize("content", PLAIN.values(), ids=PLAIN)
def test_what_is_plain_is_read_without_a_look_at_single_records(content: bytes) -> None:
    found = marks(content.rstrip(), "record")
    assert found is not None
    assert not found.odd.any()


@pytest.mark.parametrize("content", ODD.values(), ids=ODD)
def test_a_record_that_does_not_stand_alone_or_names_nothing_is_looked_at_by_itself(content: bytes) -> None:
    found = marks(content.rstrip(), "record")
    assert found is not None
    assert found.odd.any()


@pytest.mark.parametrize("content", (NOT_PLAIN | NO_XML).values(), ids=NOT_PLAIN | NO_XML)
def test_what_is_not_plain_and_what_is_no_xml_is_left_to_a_parser(content: bytes) -> None:
    assert marks(content, "record") is None


@pytest.mark.parametrize("content", NO_XML.values(), ids=NO_XML)
def test_what_is_called_no_xml_here_is_none(content: bytes) -> None:
    assert fault_of(content) is not None


def test_headers_of_a_list_of_identifiers_are_found() -> None:
    content = page(
        *(HEADER.format(number=number, status="", sets="<setSpec>a</setSpec>") for number in (1, 2, 3)), verb="ListIdentifiers"
    ).rstrip()
    found = marks(content, "header")
    assert found is not None
    assert list(found.texts(content, 2)) == [b"oai:x:1", b"oai:x:2", b"oai:x:3"]
    same_columns(content, "ListIdentifiers")


@pytest.mark.parametrize("records", CASES.values(), ids=CASES)
def test_records_inside_records_are_told_from_them(records: list[bytes]) -> None:
    content = PAGE % b"".join(records)
    found = marks(content, "record")
    if found is not None:
        assert list(zip(found.start.tolist(), found.end.tolist(), strict=True)) == [(s.start, s.end) for s in spans(content, "record")]


PIECES = [
    *(
        "<a>",
        "</a>",
        "<a/>",
        "<x:a>",
        "</x:a>",
        "<a xmlns='b'>",
        "<a xmlns:x='c' x:d='e'>",
        "<record>",
        "</record>",
        "<header>",
        "</header>",
    ),
    *(
        "<metadata>",
        "</metadata>",
        "<identifier>",
        "</identifier>",
        "<header status='deleted'>",
        "å",
        "]]>",
        "&lt;",
        "&#65;",
        "&",
        " ",
        "\n",
        ">",
        "<",
    ),
    *(
        "<setSpec>",
        "</setSpec>",
        "<datestamp>2020-01-01</datestamp>",
        "<identifier>i</identifier>",
        record(1),
        record(2),
        MARC,
        "<!-- -->",
        "<?p?>",
    ),
    *(
        "</OAI-PMH>",
        "</ListRecords>",
        "<ListRecords>",
        "'",
        '"',
        "\x00",
        "\uffff",
        "xmlns='",
        "='",
        "/",
        ":",
        "<a b='c' b='d'/>",
        "<xml:a/>",
        "<xmlns:a/>",
    ),
]


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=8))
def test_whatever_is_put_together_is_taken_only_if_a_parser_takes_it(pieces: list[str]) -> None:
    content = page("".join(pieces)).rstrip()
    if marks(content, "record") is not None:
        assert fault_of(content) is None
        same_columns(content)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from([*PLAIN.values(), *ODD.values()]), st.data())
def test_a_damaged_page_is_taken_only_if_a_parser_takes_it(content: bytes, data: st.DataObject) -> None:
    damaged = bytearray(content.rstrip())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged)))
        damaged[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from([b"", b"<", b">", b"&", b"'", b'"', b"/", b"x", b":", b" ", b"\xc3\xa5", b"]"])
        )
    if is_utf8(bytes(damaged)) and marks(bytes(damaged), "record") is not None:
        assert fault_of(bytes(damaged)) is None


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=4),
            st.text(max_size=12).map(str.encode),
            st.sampled_from([b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xe0\x80\x80"]),
        )
    )
)
def test_utf8_is_what_python_can_decode(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    try:
        data.decode()
    except UnicodeDecodeError:
        assert not is_utf8(data)
    else:
        assert is_utf8(data)


def test_without_a_compiler_the_same_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = [columns(page_of(content, "ListRecords")) for content in (PLAIN | ODD).values()]
    monkeypatch.setattr(marking, "_library", lambda: None)
    for one, content in zip(compiled, (PLAIN | ODD).values(), strict=True):
        found = page_of(content, "ListRecords")
        assert found.marks is None
        assert _plain(columns(found)) == _plain(one)


def test_a_page_of_which_more_is_wanted_than_there_was_room_for_is_read_again() -> None:
    tiny = "<record><header><identifier>a</identifier></header></record>"
    content = page(tiny * 5_000).rstrip()
    found = marks(content, "record")
    assert found is not None
    assert len(found) == 5_000


def same_columns(content: bytes, verb: str = "ListRecords") -> None:
    try:
        found = page_of(content, verb)
    except BadPage:  # well-formed, and no answer to what was asked
        return
    bare = Page(found.text, verb, tuple(spans(found.text.utf8, "header" if verb == "ListIdentifiers" else "record")))
    assert _plain(columns(found)) == _plain(columns(bare))


def _plain(found: Columns) -> list[object]:
    texts = [one.to_pylist() for one in (found.identifier, found.datestamp, moments(found.datestamp), found.sets, found.xml)]
    return [*texts, found.deleted.tolist(), found.offset.tolist(), found.length.tolist(), found.fault, found.mended]
