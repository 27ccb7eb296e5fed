"""A line of SIP2 to a message and back: lenient in, in the specification's order out.

    parse("2300120261121    130000AO|AA4500|AC|AD1234|") -> Parsed(code="23", fixed={"language": "001", ...}, fields={"AO": "", ...})
    write("24", {...}, {...}) -> "24..."

A line is text here: framing.py has its bytes, its encoding and its checksum.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from msgspec import Struct

from connectors.circulation.sip2.table import FIELDS, MESSAGES, Message

Value = str | Sequence[str] | None


class Unreadable(ValueError):
    """A line that is no message: nothing can be answered but a request to send it again."""


class Parsed(Struct, frozen=True, gc=False):
    """A message as it came. `fields` has the first value of each field, `again` all values of those that came several times.

    `repairs` says what was taken leniently.
    """

    code: str
    fixed: dict[str, str]
    fields: dict[str, str]
    again: dict[str, list[str]]
    repairs: tuple[str, ...]

    def every(self, code: str) -> list[str]:
        """All values of a field, in order."""
        return self.again.get(code) or ([self.fields[code]] if code in self.fields else [])

    def yes(self, name: str) -> bool:
        """Whether a field by its code, or a fixed field by its name, says yes. Machines write y, Y and 1."""
        return (self.fixed.get(name) or self.fields.get(name)) in _YES

    @property
    def message(self) -> Message:
        """Its row in the table."""
        return MESSAGES[self.code]


_YES = frozenset("Yy1")


@dataclass(frozen=True, slots=True)
class _Layout:
    spans: tuple[tuple[str, int, int], ...]
    end: int
    blanks: dict[str, str]
    widths: tuple[tuple[str, int, str], ...]
    fields: tuple[tuple[str, bool], ...]
    known: frozenset[str]


def _layout(message: Message) -> _Layout:
    spans, start = [], 2
    for one in message.fixed:
        spans.append((one.name, start, start + one.width))
        start += one.width
    blanks = {one.name: one.blank() for one in message.fixed}
    fields = tuple((code, code in message.required) for code in message.fields)
    widths = tuple((one.name, one.width, one.blank()) for one in message.fixed)
    return _Layout(tuple(spans), start, blanks, widths, fields, frozenset(message.fields))


_LAYOUTS = {code: _layout(message) for code, message in MESSAGES.items()}
_FIELD_START = re.compile(r"[A-Z][A-Z]")
_NEAR = 2
"""Characters by which a machine's fixed fields were seen to be short or long, when they were not missing as a whole."""
_ENDS = re.compile(r"[\r\n\x00]")


def parse(line: str, delimiter: str = "|") -> Parsed:
    """The message in a line without its terminator. Unreadable when its first two characters are no message of SIP2.

    Fields that are not in the message's table are kept, for unknown fields are to be ignored, not refused. Of a field that may stand
    only once, the first counts.
    """
    code = line[:2]
    layout = _LAYOUTS.get(code)
    if layout is None:
        raise Unreadable("the line does not begin with a message of SIP2")
    end = layout.end
    repairs: tuple[str, ...] = ()
    if len(line) < end or line.find(delimiter, 2, end) >= 0 or not (line[end : end + 2] in FIELDS or _bare(line, end, delimiter)):
        line, repairs = _mended(line, layout, delimiter)
    fixed = {}
    for name, start, stop in layout.spans:
        fixed[name] = line[start:stop]
    parts = line[end:].split(delimiter)
    fields = {part[:2]: part[2:] for part in parts}
    again = {} if len(fields) == len(parts) else _repeated(parts, fields)
    fields.pop("", None)
    return Parsed(code, fixed, fields, again, repairs)


def delimiter_of(line: str) -> str:
    """What the fields of a line end with, where nobody has said it: `|`, or what a line without any ends with and is no part of a value."""
    last = line[-1:]
    return "|" if "|" in line or not last or last.isalnum() or last.isspace() else last


def _repeated(parts: list[str], fields: dict[str, str]) -> dict[str, list[str]]:
    """Every value of what stands more than once; `fields` gets its first."""
    found: dict[str, list[str]] = {}
    for part in parts:
        if part:
            found.setdefault(part[:2], []).append(part[2:])
    fields |= {code: values[0] for code, values in found.items()}
    return {code: values for code, values in found.items() if len(values) > 1}


def _bare(line: str, end: int, delimiter: str) -> bool:
    """Whether nothing follows the fixed fields."""
    return line[end : end + 2] in ("", delimiter)


def _mended(line: str, layout: _Layout, delimiter: str) -> tuple[str, tuple[str, ...]]:
    """The line with fixed fields of the right width, whatever the machine left out of them.

    Seen from real machines: a delimiter straight after the fixed fields, a summary of nine characters, a message without its date, a
    print width of blanks. The first field code that the table knows tells where the fixed fields end.
    """
    end = layout.end
    found = _first_field(line, end, delimiter)
    if len(line) >= end and delimiter not in line[2:end] and abs(found - end) > _NEAR:
        straight = line.startswith(delimiter, end)
        return line, ("delimiter after the fixed fields",) if straight else ("first field unknown",)
    given = line[2:found].rstrip(delimiter)
    pieces, at = [], 0
    for name, start, stop in layout.spans:
        piece = given[at : at + stop - start]
        at += stop - start
        pieces.append(piece + layout.blanks[name][len(piece) :])
    return line[:2] + "".join(pieces) + line[found:], ("fixed fields mended",)


def _first_field(line: str, end: int, delimiter: str) -> int:
    """Where the first variable field begins: the place nearest to where it should, at which a known field code stands."""
    limit = line.find(delimiter)
    places = [found.start() for found in _FIELD_START.finditer(line, 2, len(line) if limit < 0 else limit + 1) if found[0] in FIELDS]
    return min(places, key=lambda place: abs(place - end)) if places else (len(line) if limit < 0 else limit)


def write(code: str, fixed: Mapping[str, str], fields: Mapping[str, Value], delimiter: str = "|") -> str:
    """A line without terminator and checksum. Required fields are always written; others when they have a value that is not None.

    Fields that the message's table does not name come last, in the order given: a site's own. A value cannot break the line: the
    delimiter and line ends in it become blanks. ValueError for a fixed field of another width than the table's.
    """
    layout = _LAYOUTS[code]
    head = [code]
    for name, width, blank in layout.widths:
        value = fixed.get(name, blank)
        if len(value) != width:
            raise ValueError(f"{MESSAGES[code].name}: {name} has {width} characters, not {len(value)}")
        head.append(value)
    rest: list[str] = []
    for name, required in _order(code, tuple(fields)):
        text = fields.get(name)
        if text is None:
            if required:
                rest.append(name)
        elif isinstance(text, str):
            rest.append(name + text)
        else:
            rest += [name + one for one in text]
    rest.append("")
    line = delimiter.join(rest)
    if line.count(delimiter) >= len(rest) or not (line.isprintable() or not _ENDS.search(line)):
        line = "".join([one[:2] + _safe(one[2:], delimiter) + delimiter for one in rest[:-1]])
    return "".join(head) + line


@lru_cache(2048)  # answers have the same few fields in the same order again and again
def _order(code: str, given: tuple[str, ...]) -> tuple[tuple[str, bool], ...]:
    """Which fields are to be written and whether they must be, in the specification's order; a site's own come last."""
    layout = _LAYOUTS[code]
    known = [(name, required) for name, required in layout.fields if required or name in given]
    return (*known, *((name, False) for name in given if name not in layout.known))


def _safe(value: str, delimiter: str) -> str:
    return _ENDS.sub(" ", value).replace(delimiter, " ")
