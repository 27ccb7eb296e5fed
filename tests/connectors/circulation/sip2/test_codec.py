"""The codec takes what machines send and writes what the specification says."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.circulation.sip2.codec import Unreadable, parse, write
from connectors.circulation.sip2.table import FIELDS, MESSAGES, SUPPORTED_ORDER, Message

NOW = "20261121    130000"
GOLDEN = {
    "patron status": f"23001{NOW}AOlindeby|AA4500001234|ACterminal|AD1234|",
    "patron status response": f"24              001{NOW}AOlindeby|AA4500001234|AELina Test|BLY|CQY|BHDKK|BV12.50|AFWelcome|",
    "checkout": f"11NN{NOW}{NOW}AOlindeby|AA4500001234|AB30001|AC|CHbook|AD1234|BON|BIN|",
    "checkout response": f"121NNY{NOW}AOlindeby|AA4500001234|AB30001|AJA title|AH20261221    235900|CIN|CK001|AFThank you|AGPrinted|",
    "checkin": f"09N{NOW}{NOW}APdesk|AOlindeby|AB30001|AC|BIN|",
    "checkin response": f"101YNN{NOW}AOlindeby|AB30001|AQmain|AJA title|CL2|CRfiction|CS85.4|CTnorth|CV01|CY1|DAN N|",
    "block patron": f"01N{NOW}AOlindeby|ALlost card|AA4500001234|AC|",
    "SC status": "9900802.00",
    "ACS status": f"98YYYNYY010003{NOW}2.00AOlindeby|AMLindeby|BXYYYYYYYYYYYYYYYY|ANhall|",
    "request ACS resend": "97",
    "request SC resend": "96",
    "login": "9300CNkiosk1|COsecret|CPhall|",
    "login response": "941",
    "patron information": f"63001{NOW}  Y       AOlindeby|AA4500001234|AC|AD1234|BP1|BQ5|",
    "patron information response": f"64              001{NOW}000100000002000000000000AOlindeby|AA4500001234|AELina Test|BZ0010|BLY|CQY|AS3|AU1|AU2|BDRoad 1|",
    "end patron session": f"35{NOW}AOlindeby|AA4500001234|AC|",
    "end session response": f"36Y{NOW}AOlindeby|AA4500001234|AFGoodbye|",
    "fee paid": f"37{NOW}0100DKKBV12.50|AOlindeby|AA4500001234|CG77|BKT1|",
    "fee paid response": f"38Y{NOW}AOlindeby|AA4500001234|BKT1|",
    "item information": f"17{NOW}AOlindeby|AB30001|AC|",
    "item information response": f"18030001{NOW}CF2|AH20261221    235900|AB30001|AJA title|AQmain|CS85.4|",
    "item status update": f"19{NOW}AOlindeby|AB30001|CHworn|",
    "item status update response": f"201{NOW}AB30001|AJA title|CHworn|",
    "patron enable": f"25{NOW}AOlindeby|AA4500001234|AC|AD1234|",
    "patron enable response": f"26              001{NOW}AOlindeby|AA4500001234|AELina Test|BLY|CQY|",
    "hold": f"15+{NOW}BW{NOW}|BSmain|BY2|AOlindeby|AA4500001234|AD1234|AB30001|",
    "hold response": f"161N{NOW}BR3|BSmain|AOlindeby|AA4500001234|AB30001|",
    "renew": f"29NN{NOW}{NOW}AOlindeby|AA4500001234|AD1234|AB30001|BON|",
    "renew response": f"301YNN{NOW}AOlindeby|AA4500001234|AB30001|AJA title|AH20261221    235900|",
    "renew all": f"65{NOW}AOlindeby|AA4500001234|AD1234|",
    "renew all response": f"6610001 0001{NOW}".replace(" 0001", "0001") + "AOlindeby|BM30001|BN30002|",
}


def _again(line: str) -> str:
    parsed = parse(line)
    return write(parsed.code, parsed.fixed, {code: parsed.every(code) for code in parsed.fields})


@pytest.mark.parametrize("line", GOLDEN.values(), ids=GOLDEN)
def test_a_line_as_specified_is_read_and_written_the_same(line: str) -> None:
    assert _again(line) == line
    assert parse(line).repairs == ()


def test_the_golden_lines_hold_every_message_of_the_table() -> None:
    assert {line[:2] for line in GOLDEN.values()} == MESSAGES.keys()


def test_the_table_names_only_fields_that_it_describes() -> None:
    for message in MESSAGES.values():
        assert set(message.fields) <= FIELDS.keys(), message.name
        assert set(message.required) | set(message.optional) == set(message.fields), message.name
        assert not message.answer or message.answer in MESSAGES
    assert {code for code in SUPPORTED_ORDER if code != "97"} == {one.code for one in MESSAGES.values() if one.answer}


def test_every_message_without_any_value_is_its_fixed_fields_and_its_required_ones() -> None:
    for code, message in MESSAGES.items():
        line = write(code, {}, {})
        assert len(line) == 2 + message.width + 3 * len(message.required)
        assert list(parse(line).fields) == [name for name in message.fields if name in message.required]


@pytest.mark.parametrize(
    ("line", "expected"),
    {
        "a delimiter straight after the fixed fields": (f"11NN{NOW}{NOW}|AOx|AA1|AB2|AC|", {"AO": "x", "AA": "1", "AB": "2"}),
        "a summary of nine characters": (f"63001{NOW}  Y      AOx|AA1|", {"AO": "x", "AA": "1"}),
        "a summary of eleven characters": (f"63001{NOW}  Y        AOx|AA1|", {"AO": "x", "AA": "1"}),
        "a renewal of all without its date": ("65AOx|AA1|", {"AO": "x", "AA": "1"}),
        "the institution not first": (f"23001{NOW}AA1|AD4|AOx|AC|", {"AO": "x", "AA": "1", "AD": "4"}),
        "an unknown field first": (f"23001{NOW}ZZnews|AOx|AA1|", {"ZZ": "news", "AO": "x", "AA": "1"}),
        "an unknown field in the midst": (f"23001{NOW}AOx|Z1news|AA1|", {"AO": "x", "Z1": "news", "AA": "1"}),
        "no last delimiter": (f"23001{NOW}AOx|AA1", {"AO": "x", "AA": "1"}),
        "empty fields between delimiters": (f"23001{NOW}AOx||AA1||", {"AO": "x", "AA": "1"}),
        "a login with nothing": ("9300", {}),
    }.values(),
)
def test_what_machines_get_wrong_is_read_all_the_same(line: str, expected: dict[str, str]) -> None:
    parsed = parse(line)
    assert {code: value for code, value in parsed.fields.items() if value} == expected
    assert {name: len(value) for name, value in parsed.fixed.items()} == {one.name: one.width for one in parsed.message.fixed}


@pytest.mark.parametrize("width", ["xxx", "   ", "80"])
def test_a_print_width_that_is_no_number_does_not_matter(width: str) -> None:
    assert parse(f"990{width}2.00").code == "99"


def test_flags_are_read_in_either_case() -> None:
    assert parse(f"11yn{NOW}{NOW}AOx|AA1|AB2|AC|BIy|").yes("BI")
    assert parse(f"09y{NOW}{NOW}APx|AOx|AB2|AC|").yes("no block")
    assert not parse(f"09N{NOW}{NOW}APx|AOx|AB2|AC|").yes("BI")


def test_of_a_field_that_came_twice_the_first_counts_and_all_are_kept() -> None:
    parsed = parse(f"23001{NOW}AOx|AA1|AA2|")
    assert (parsed.fields["AA"], parsed.every("AA"), parsed.every("AO"), parsed.every("AD")) == ("1", ["1", "2"], ["x"], [])


@pytest.mark.parametrize("line", ["", "2", "xx", "GET / HTTP/1.1", "00AOx|", "\x16\x03\x01"])
def test_a_line_that_is_no_message_is_unreadable(line: str) -> None:
    with pytest.raises(Unreadable):
        parse(line)


def test_a_value_cannot_break_a_line() -> None:
    line = write("12", {"ok": "1"}, {"AJ": "A|AFforged\rline", "AF": ["one\n", "two|three"]})
    assert "\r" not in line and "\n" not in line
    assert parse(line).fields["AJ"] == "A AFforged line"
    assert parse(line).every("AF") == ["one ", "two three"]


def test_a_fixed_field_of_another_width_is_an_error_of_ours() -> None:
    with pytest.raises(ValueError, match="login response: ok has 1 characters, not 2"):
        write("94", {"ok": "10"}, {})


def test_another_delimiter_is_a_setting() -> None:
    assert parse(write("94", {"ok": "1"}, {}, "^"), "^").fixed == {"ok": "1"}
    assert parse(f"23001{NOW}AOx^AA1|2^", "^").fields == {"AO": "x", "AA": "1|2"}


TEXT = st.text(st.characters(exclude_characters="|\r\n\x00", exclude_categories=["Cs"]), max_size=20)


@st.composite
def messages(draw: st.DrawFn) -> tuple[Message, dict[str, str], dict[str, str | list[str]]]:
    message = draw(st.sampled_from(list(MESSAGES.values())))
    fixed = {one.name: draw(st.from_regex(rf"\A[0-9A-Z ]{{{one.width}}}\Z")) for one in message.fixed}
    fields: dict[str, str | list[str]] = {}
    for code in draw(st.sets(st.sampled_from(message.fields or ("AF",)))):
        fields[code] = draw(st.lists(TEXT, min_size=1, max_size=3)) if FIELDS[code].many else draw(TEXT)
    return message, fixed, fields


@given(messages())
def test_whatever_is_written_is_read_again(sample: tuple[Message, dict[str, str], dict[str, str | list[str]]]) -> None:
    message, fixed, fields = sample
    fields = {code: value for code, value in fields.items() if code in message.fields}
    parsed = parse(write(message.code, fixed, fields))
    assert parsed.fixed == fixed
    for code, value in fields.items():
        assert parsed.every(code) == ([value] if isinstance(value, str) else value)


@given(st.text(max_size=300), st.sampled_from([*MESSAGES, ""]))
def test_no_line_of_text_breaks_the_parser(rest: str, code: str) -> None:
    try:
        parsed = parse(code + rest)
    except Unreadable:
        assert (code + rest)[:2] not in MESSAGES
        return
    assert parsed.fixed.keys() == {one.name for one in parsed.message.fixed}
    assert re.fullmatch(r"\d\d", parsed.code)
