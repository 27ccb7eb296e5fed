"""Lines are found whatever the network does to them, and checked by their bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.circulation.sip2.framing import LONGEST, Framed, Lines, TooLong, checksum, opened, sealed

LINES = [b"9300CNkiosk|COpw|", b"9900802.00AY1AZFCA5", b"23001AOx|"]


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\r\r\n", b"\x00\r"])
@given(st.data())
def test_lines_are_found_however_they_are_split_and_merged(end: bytes, data: st.DataObject) -> None:
    stream = b"".join(line + end for line in LINES)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1))))
    lines, found = Lines(), []
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += lines.feed(stream[start:stop])
    assert [opened(line).body for line in found] == [opened(line).body for line in LINES]


def test_a_line_that_does_not_end_is_not_kept() -> None:
    lines = Lines()
    with pytest.raises(TooLong):
        for _ in range(LONGEST):
            lines.feed(b"x" * 100)
    assert lines.feed(b"97\r") == [b"97"]


def test_the_checksum_is_the_specification_s_own_example() -> None:
    assert sealed("9900302.00", sequence="1") == b"9900302.00AY1AZFCA5\r"


def test_a_request_to_send_again_has_a_checksum_and_no_number() -> None:
    assert sealed("96", sequence="") == b"96AZFEF6\r"
    assert opened(b"96AZFEF6") == Framed(b"96", None, True)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "cp850"])
def test_the_checksum_is_of_the_bytes_that_are_sent(encoding: str) -> None:
    line = sealed("24AEÆblegrød Ås|", encoding=encoding, sequence="7")
    body = line.rstrip(b"\r")
    assert (sum(body[:-4]) + int(body[-4:], 16)) & 0xFFFF == 0
    assert opened(body) == Framed("24AEÆblegrød Ås|".encode(encoding), "7", True)


def test_a_byte_that_changed_on_the_way_is_seen() -> None:
    line = sealed("9300CNkiosk|COpw|", sequence="3").rstrip(b"\r")
    assert opened(line).intact
    assert not opened(line.replace(b"kiosk", b"kiosl")).intact


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"97", Framed(b"97", None, True)),
        (b"9300CNx|AY4", Framed(b"9300CNx|", "4", True)),
        (b"9300CNx|AY4|AZ" + checksum(b"9300CNx|AY4|AZ").encode() + b"|", Framed(b"9300CNx|", "4", True)),
        (b"9300CNx|AZ" + checksum(b"9300CNx|AZ").lower().encode(), Framed(b"9300CNx|", None, True)),
        (b" 97 \x00", Framed(b"97", None, True)),
    ],
    ids=["none", "a sequence alone", "delimiters in the trailer", "a checksum alone, in lower case", "blanks and a NUL around"],
)
def test_trailers_are_read_as_machines_write_them(line: bytes, expected: Framed) -> None:
    assert opened(line) == expected


def test_a_character_that_the_machine_s_encoding_lacks_does_not_keep_the_answer_back() -> None:
    assert sealed("24AE李|", encoding="latin-1") == b"24AE?|\r"


@given(st.binary(max_size=400))
def test_no_bytes_break_the_framing(data: bytes) -> None:
    for line in Lines().feed(data + b"\r"):
        assert len(opened(line).body) <= len(line)
