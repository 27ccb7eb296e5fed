"""Each kind of record as its own people read it, whole or damaged; and what nobody may see until it is revealed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engine.quarantine.writing import Writing
from include.records import raw
from include.records.masks import Masks
from include.records.model import LONGEST, MOST_LINES, Shown
from include.records.show import form_of, show
from tests.connectors.ils.marc_records import iso, record, xml

MARC = Writing(form="iso2709", charset="declared", anyone=True)
LOANS = Writing(
    form="delimited",
    header=True,
    columns={"loan_id": ("Udlånsnr",), "patron_id": ("Lånernr",), "due_on": ("Frist",)},
    public=frozenset({"udlånsnr", "frist"}),
)
HEAD = "Udlånsnr,Lånernr,Frist\n1,4711,2026-01-01\n".encode()


def told(found: Shown) -> list[tuple[str, str]]:
    return [(line.name, " ".join(f"${part.code} {part.value}" if part.code else part.value for part in line.parts)) for line in found.lines]


def test_a_whole_marc_record_is_shown_tag_by_tag() -> None:
    found = show(iso("a1", title="Højbjerg".encode()), Masks(MARC))
    assert (found.form, found.broken) == ("marc", ())
    assert told(found)[1] == ("001", "a1")
    assert told(found)[-1] == ("245", "$a Højbjerg / $c A. B.")
    assert found.lines[-1].mark == "10"


def test_a_marc_record_that_was_cut_off_is_shown_as_far_as_it_goes() -> None:
    cut = iso("a1")[:-40]
    found = show(cut, Masks(MARC))
    assert [name for name, _ in told(found)] == ["LDR", "001", "008"]
    assert [one.reason for one in found.broken] == ["MARC_TRUNCATED"]
    assert found.broken[0].place == len(cut)


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (iso("a1").replace(b"245", b"2", 1), "MARC_DIRECTORY_WRONG"),
        (b"\x00\xff" * 40, "MARC_NOT_A_RECORD"),
        (iso("a1", title=b"\x80\xff\xfe"), "MARC_CHARACTER_REPLACED"),
        (iso("a1").replace(b"nam", b"n\xe5m", 1), "MARC_LEADER_CHARACTER"),
    ],
)
def test_where_a_marc_record_breaks_is_said(damaged: bytes, reason: str) -> None:
    assert reason in [one.reason for one in show(damaged, Masks(MARC)).broken]


def test_marc_in_xml_is_marc_and_other_xml_a_line_an_element() -> None:
    found = show(record("a1", "&lt;script&gt;").encode(), Masks(Writing(form="xml", anyone=True)))
    assert told(found)[-1] == ("245", "$a <script> /")
    plain = show(b"<dc><title>Bog</title><date when='2026'/></dc>", Masks(Writing(anyone=True)))
    assert told(plain) == [("dc", ""), ("title", "Bog"), ("date", "$when 2026")]
    assert show(xml(record("a1")), Masks(Writing(anyone=True))).form == "marc"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [(b"<a><b></a>", "XML_UNREADABLE"), (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "XML_DTD"), (b'{"a": 1', "JSON_UNREADABLE")],
)
def test_what_is_neither_xml_nor_json_is_shown_as_text_with_the_place_where_it_breaks(bad: bytes, reason: str) -> None:
    found = show(bad, Masks(Writing(anyone=True)))
    assert (found.form, found.broken[0].reason) == ("text", reason)
    assert told(found) == [("1", bad.decode())]


def test_an_edi_message_is_shown_segment_by_segment_by_its_own_signs() -> None:
    message = b"UNA:*.! 'UNB*UNOC:3*5790000000001:14'IMD*L**:::L!'Avare!* 1'LIN*1'"
    found = show(message, Masks(Writing(anyone=True)))
    assert (found.form, found.broken) == ("edifact", ())
    assert told(found)[1:] == [("UNB", "$1 UNOC · 3 $2 5790000000001 · 14"), ("IMD", "$1 L $3  ·  ·  · L'Avare* 1"), ("LIN", "$1 1")]
    assert show(message[:-3], Masks(Writing(anyone=True))).broken[0].reason == "segment_open"


def test_a_line_of_csv_is_shown_by_its_headers_names_and_the_column_to_blame_is_marked() -> None:
    found = show(b"7,4711,20261301\r\n", Masks(LOANS), head=HEAD, column="due_on")
    assert told(found) == [("Udlånsnr", "7"), ("Lånernr", "####"), ("Frist", "20261301")]
    assert [line.blamed for line in found.lines] == [False, False, True]
    assert [line.parts[0].masked for line in found.lines] == [False, True, False]


def test_where_columns_are_shifted_nothing_is_taken_for_public() -> None:
    found = show(b"7,x,010190-1234,Anne Holm", Masks(LOANS), head=HEAD)
    assert told(found) == [("Udlånsnr", "#"), ("Lånernr", "x"), ("Frist", "######-####"), ("4", "Xxxx Xxxx")]
    assert found.broken[0].reason == "ROW_RAGGED"
    assert told(show(b"7,x", Masks(LOANS), head=HEAD))[-1] == ("Frist", "")


def test_without_its_header_every_column_is_masked() -> None:
    assert told(show(b"7,4711,2026", Masks(LOANS))) == [("1", "#"), ("2", "####"), ("3", "####")]
    assert told(show(b'7,"open', Masks(LOANS), head=HEAD))[1] == ("Lånernr", "xxxx")


def test_json_is_shown_by_its_paths_and_only_what_is_public() -> None:
    writing = Writing(form="json", columns={"last_name": ("personal.lastName",)}, public=frozenset({"id"}))
    found = show(b'{"id": 1.50, "personal": {"lastName": "Holm", "x": [true, null]}}', Masks(writing), column="last_name")
    assert told(found) == [("id", "1.50"), ("personal", ""), ("lastName", "Xxxx"), ("x", ""), ("0", "xxxx"), ("1", "")]
    assert [line.blamed for line in found.lines][2]


def test_an_unknown_hand_off_is_masked_whole_until_it_is_revealed() -> None:
    for bytes_ in (iso("a1"), b"UNH+1+Anne Holm'", b"Anne Holm", record("a1").encode()):
        masked = " ".join(value for _, value in told(show(bytes_, Masks(Writing()))))
        assert "Holm" not in masked
        assert "bler" not in masked
    assert told(show(b"Anne Holm", Masks(Writing(), reveal=True))) == [("1", "Anne Holm")]


def test_an_identity_number_in_a_public_record_is_masked_and_a_control_number_is_not() -> None:
    found = show(iso("2101901234", title=b"L\xc3\xa5nt af 010190-1234"), Masks(MARC))
    assert told(found)[1] == ("001", "2101901234")
    assert told(found)[-1][1].startswith("$a Lånt af ••••••-••••")
    assert found.masked
    assert "010190-1234" in told(show(iso("1", title=b"010190-1234"), Masks(MARC, reveal=True)))[-1][1]


def test_raw_bytes_are_withheld_where_they_may_name_a_person_or_nobody_can_read_them() -> None:
    good = raw.show(iso("a1"), 99, Masks(MARC))
    assert (good.masked, good.rows[0][0], good.rows[0][2][:3]) == (False, "000000", "001")
    for bytes_, writing in ((b"7,4711", LOANS), (b"\x80\xff" * 9, MARC), (iso("1", title=b"010190-1234"), MARC)):
        assert raw.show(bytes_, 99, Masks(writing)) == raw.Raw((), 99, len(bytes_), masked=True)
        assert raw.show(bytes_, 99, Masks(writing, reveal=True)).rows
    cut = "å".encode() * 5_000  # a character that the end of the stretch goes through is no damage
    assert not raw.show(b"x" + cut, 10_001, Masks(MARC)).masked


def test_a_record_of_ten_megabytes_is_shown_bounded() -> None:
    big = show(iso("a1", extra=[("500", b"  \x1fa" + b"x" * 1_000)] * 1_000)[: 1 << 20], Masks(MARC), whole=False)
    assert len(big.lines) == MOST_LINES
    assert big.more > 500
    wide = show(b'{"a":"' + b"x" * (1 << 20) + b'"}', Masks(Writing(form="json", anyone=True)))
    assert len(wide.lines[0].parts[0].value) < LONGEST + 20
    assert len(raw.show(b"x" * (1 << 20), 10 << 20, Masks(MARC)).rows) == 256
    deep = b"[" * 100_000
    assert show(deep, Masks(Writing(form="json", anyone=True))).broken[0].reason == "JSON_UNREADABLE"


@given(st.binary(max_size=200), st.sampled_from(["iso2709", "xml", "json", "edifact", "delimited", "text", None]))
def test_no_bytes_make_showing_them_fail(bytes_: bytes, form: str | None) -> None:
    for writing in (Writing(form=form, header=True), Writing(form=form, anyone=True, charset="declared" if form == "iso2709" else "utf-8")):  # type: ignore[arg-type]
        found = show(bytes_, Masks(writing), head=HEAD)
        assert found.form
        assert raw.show(bytes_, len(bytes_), Masks(writing)).size == len(bytes_)


@given(st.integers(30, 120), st.binary(min_size=1, max_size=3))
def test_a_damaged_marc_record_never_fails_to_show(place: int, noise: bytes) -> None:
    whole = iso("a1")
    assert show(whole[:place] + noise + whole[place:], Masks(MARC)).lines


@pytest.mark.parametrize(
    ("start", "form"),
    [(b"\xef\xbb\xbf<a/>", "xml"), (b" [1]", "json"), (b"UNB+UNOC", "edifact"), (iso("1"), "iso2709"), (b"UNBOUND", "text"), (b"", "text")],
)
def test_the_bytes_tell_what_they_are_where_no_connector_does(start: bytes, form: str) -> None:
    assert form_of(start, Writing()) == form
