"""Lines of delimited text that are not clean: each is read alone, and is either mended into a clean line or refused with a reason.

The rule for an unclosed quote: a field may run over line ends, but only if the lines that it joins are not records themselves. Where a line
of the right shape stands between the opening quote and the next stray one, the quote was never closed; what stands before that line is set
aside, and reading goes on there. So one quote costs one record, never the rest of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from connectors.ils.lines import Lines
from include.engine.reasons import words

#: A record of more bytes than this is no record of any library system, but a quote that was never closed.
LONGEST = 1 << 20
UNWRAPPED = re.compile(rb'="([^"=]*)"')


@dataclass(frozen=True)
class Shape:
    """What a record of this file should look like; `read` are the fields whose content is used."""

    fields: int
    delimiter: bytes
    quote: bytes
    charset: str
    header: tuple[bytes, ...]
    read: frozenset[int]


@dataclass(frozen=True)
class Outcome:
    """Lines `first` to `last` (inclusive) of a block as one record: `clean` bytes to parse instead, or a `reason` and `detail`."""

    first: int
    last: int
    clean: bytes | None = None
    reason: str = ""
    detail: str = ""
    warning: str = ""


def fields_of(line: bytes, delimiter: bytes, quote: bytes) -> list[bytes] | None:
    """The fields of one record (RFC 4180; a quote inside an unquoted field is itself); None where a quote is never closed."""
    if quote not in line:
        return line.split(delimiter)
    fields: list[bytes] = []
    at = 0
    while True:
        parts = []
        if line[at : at + 1] == quote:
            at += 1
            while True:
                close = line.find(quote, at)
                if close < 0:
                    return None
                parts.append(line[at:close])
                at = close + 1
                if line[at : at + 1] != quote:
                    break
                parts.append(quote)
                at += 1
        end = line.find(delimiter, at)
        parts.append(line[at:] if end < 0 else line[at:end])
        fields.append(b"".join(parts))
        if end < 0:
            return fields
        at = end + 1


def leading_fields(record: bytes, delimiter: bytes, quote: bytes) -> list[bytes]:
    """The fields of a damaged record that stand before the damage, or all of them where only their number is wrong."""
    whole = fields_of(record, delimiter, quote)
    if whole is not None:
        return whole
    fields = []
    for part in record.split(delimiter):
        inside = part[1:-1] if len(part) > 1 and part[:1] == part[-1:] == quote else part
        if quote in inside:
            break
        fields.append(inside)
    return fields


def mend(data: bytes, lines: Lines, shape: Shape, *, last_block: bool) -> Iterator[Outcome | int]:
    """An Outcome for each record among the lines that are not clean; an int is the line from which the next block must go on.

    Clean and blank lines that belong to no damaged record are passed over.
    """
    at, count = 0, len(lines)
    dirty = (~lines.clean & ~lines.blank).nonzero()[0].tolist()
    for line in dirty:
        if line < at:
            continue
        if not lines.open[line]:
            yield _judge(data, lines, line, line, shape)
            at = line + 1
            continue
        found = _one_line(data, lines, line, shape) or _joined(data, lines, line, shape)
        if found is None:
            stop = _next_of_right_shape(lines, line)
            too_long = int(lines.nexts[min(stop, count) - 1] - lines.starts[line]) > LONGEST
            if stop == count and not last_block and not too_long:
                yield line
                return
            found = Outcome(line, stop - 1, reason="QUOTE_UNCLOSED")
        yield found
        at = found.last + 1


def judge_all(data: bytes, lines: Lines, outcomes: list[Outcome], upto: int, shape: Shape) -> list[Outcome]:
    """`outcomes`, and one for each clean line that none of them covers."""
    covered = {line for outcome in outcomes for line in range(outcome.first, outcome.last + 1)}
    clean = [_judge(data, lines, line, line, shape) for line in lines.clean[:upto].nonzero()[0].tolist() if line not in covered]
    return sorted([*outcomes, *clean], key=lambda outcome: outcome.first)


def _one_line(data: bytes, lines: Lines, line: int, shape: Shape) -> Outcome | None:
    """A line with an odd number of quotes that reads well all the same: its quote stands inside an unquoted field, as inches do."""
    fields = fields_of(data[lines.starts[line] : lines.ends[line]], shape.delimiter, shape.quote)
    return None if fields is None or len(fields) != shape.fields else _judge(data, lines, line, line, shape)


def _joined(data: bytes, lines: Lines, line: int, shape: Shape) -> Outcome | None:
    """A field that runs over line ends, up to the next line with an odd number of quotes, if no line between is a record itself."""
    later = line + 1
    while later < len(lines) and not lines.open[later]:
        if lines.clean[later]:
            return None
        later += 1
    if later == len(lines) or lines.nexts[later] - lines.starts[line] > LONGEST:
        return None
    fields = fields_of(data[lines.starts[line] : lines.ends[later]], shape.delimiter, shape.quote)
    return _judge(data, lines, line, later, shape) if fields is not None and len(fields) == shape.fields else None


def _next_of_right_shape(lines: Lines, line: int) -> int:
    """The next line that is a record by itself, or may begin one (its own odd quote is judged then); the end of the block if none."""
    for later in range(line + 1, len(lines)):
        if lines.clean[later] or lines.open[later]:
            return later
    return len(lines)


def _judge(data: bytes, lines: Lines, first: int, last: int, shape: Shape) -> Outcome:
    raw = data[lines.starts[first] : lines.ends[last]]
    if b"\0" in raw:
        return Outcome(first, last, reason="NUL_IN_TEXT")
    try:
        raw.decode(shape.charset)
    except UnicodeDecodeError:
        return Outcome(first, last, reason="CHARSET_WRONG", detail="")
    fields = fields_of(raw, shape.delimiter, shape.quote)
    if fields is None:
        return Outcome(first, last, reason="QUOTE_UNCLOSED")
    while len(fields) > shape.fields and not fields[-1].strip():
        fields.pop()
    if len(fields) != shape.fields:
        return Outcome(first, last, reason="ROW_RAGGED", detail=words("ROW_RAGGED", "en", count=len(fields), expected=shape.fields))
    if tuple(field.strip() for field in fields) == shape.header:
        return Outcome(first, last, reason="HEADER_REPEATED")
    warning = ""
    for index in shape.read:
        if fields[index][:1] in (b"=", b"@"):
            literal = UNWRAPPED.fullmatch(fields[index])
            if literal is None:
                return Outcome(first, last, reason="FORMULA_IN_CELL")
            fields[index], warning = literal[1], "FORMULA_UNWRAPPED"
    return Outcome(first, last, clean=written(fields, shape), warning=warning)


def written(fields: list[bytes], shape: Shape) -> bytes:
    """A clean line of the fields, every one quoted: it means the same to any CSV reader."""
    doubled = (field.replace(shape.quote, shape.quote * 2) for field in fields)
    return shape.delimiter.join(shape.quote + field + shape.quote for field in doubled) + b"\n"
