"""Bytes of a connection to lines and back: terminators, encoding, sequence number and checksum.

A line ends with CR; many machines send CRLF, some LF alone. With error detection on, a line ends with the fields AY (a digit, the
sequence number) and AZ (four hexadecimal digits, the checksum), which have no delimiter of their own between value and terminator.
Source: SIP2 2.00, clauses "Message format" and "Error detection": the checksum is the two's complement of the sum of all bytes sent,
from the first of the message up to and with `AZ`.
"""

from __future__ import annotations

import re

from msgspec import Struct

LONGEST = 16_384
"""Bytes of a line. The longest honest one, a patron's information with a page of items, stays far below."""

ENDS = {"cr": b"\r", "crlf": b"\r\n", "lf": b"\n"}
"""What lines end with, by its name in settings."""

_TRAILER = re.compile(rb"(?:AY(?P<sequence>[0-9])\|?)?AZ(?P<sum>[0-9A-Fa-f]{4})\|?\s*$")
_SEQUENCE = re.compile(rb"AY(?P<sequence>[0-9])\|?\s*$")
_WITHOUT_FIELDS = frozenset((b"96", b"97", b"99"))
"""Messages whose trailer follows a fixed field, and no delimiter."""


class TooLong(ValueError):
    """A line that does not end: whoever sends it does not speak SIP2."""


class Framed(Struct, frozen=True, gc=False):
    """A line without its trailer. `sequence` is None without error detection; `intact` is False when the checksum is another."""

    body: bytes
    sequence: str | None
    intact: bool


class Lines:
    """Cuts what comes in, in pieces of any size, into lines. Empty ones (the LF of a CRLF, keep-alive line ends) are passed over."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are now whole. TooLong when what is left is longer than any line may be."""
        if not self._rest and data.find(b"\r") == len(data) - 1 <= LONGEST and data.find(b"\n") < 0:  # one line, as nearly always
            return [data[:-1]] if data.strip(b" \x00\r") else []
        text = (self._rest + data if self._rest else data).replace(b"\n", b"\r")
        *whole, self._rest = text.split(b"\r")
        if len(self._rest) > LONGEST or any(len(line) > LONGEST for line in whole):
            self._rest = b""
            raise TooLong(f"a line of more than {LONGEST:,} bytes")
        return [line for line in whole if line.strip(b" \x00")]


def checksum(data: bytes) -> str:
    """Four hexadecimal digits for `data`, which ends with `AZ`."""
    return f"{-sum(data) & 0xFFFF:04X}"


def opened(line: bytes) -> Framed:
    """A line's message, its sequence number, and whether it came as it was sent."""
    line = line.strip(b" \x00")
    if line.find(b"AY", -16) < 0 and line.find(b"AZ", -16) < 0:  # `in` tries a number first, and costs six times as much
        return Framed(line, None, True)
    found = _TRAILER.search(line)
    if found is None or (found["sequence"] is None and _in_value(line, found.start())):
        numbered = _SEQUENCE.search(line)
        if numbered is None or _in_value(line, numbered.start()):
            return Framed(line, None, True)
        return Framed(line[: numbered.start()], numbered["sequence"].decode(), True)
    sequence = found["sequence"].decode() if found["sequence"] else None
    intact = checksum(line[: found.start("sum")]) == found["sum"].decode().upper()
    return Framed(line[: found.start()], sequence, intact)


def _in_value(line: bytes, start: int) -> bool:
    """Whether what looks like half a trailer ends a value: a barcode such as AZ1234, a password such as FRIDAY1."""
    return line[:2] not in _WITHOUT_FIELDS and line[start - 1 : start].isalnum()


def sealed(text: str, *, encoding: str = "utf-8", sequence: str | None = None, terminator: bytes = b"\r") -> bytes:
    """A line's bytes, with sequence number and checksum where a `sequence` is given; an empty one makes a checksum alone.

    What the encoding has no character for becomes a question mark: a machine must get its answer. The checksum is of these bytes.
    """
    body = text.encode(encoding, "replace")
    if sequence is None:
        return body + terminator
    body += (b"AY" + sequence.encode("ascii") if sequence else b"") + b"AZ"
    return body + checksum(body).encode("ascii") + terminator
