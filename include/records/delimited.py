"""A line of CSV or TSV by column, under the names of its file's header (RFC 4180)."""

from __future__ import annotations

from include.engine.privacy.guard import is_code
from include.records.masks import Masks
from include.records.model import Broken, Line, Part, Shown, bounded


def show(raw: bytes, masks: Masks, *, names: list[str] | None, column: str | None) -> Shown:
    """A line a column; the one to blame is marked. Columns without a name (no header, or too many) are numbered, and masked with the rest."""
    writing = masks.writing
    text = raw.decode(writing.charset, "replace").lstrip("\ufeff").rstrip("\r\n")
    broken = [Broken("charset", _bad_byte(raw, writing.charset))] if "\ufffd" in text else []
    fields, closed = fields_of(text, writing.delimiter, writing.quote)
    if not closed:
        broken.append(Broken("QUOTE_UNCLOSED", len(raw)))
    if names is not None and len(fields) != len(names):
        broken.append(Broken("ROW_RAGGED"))
    whole = closed and names is not None and len(fields) == len(names)
    blamed = {name.casefold() for name in writing.theirs(column)}
    codes = {name.casefold() for ours, theirs in writing.columns.items() if is_code(ours) for name in theirs}
    lines = []
    for place, field in enumerate(fields):
        name = names[place] if names is not None and place < len(names) else ""
        # A field too many or too few shifts what stands behind it under another name: then nothing says what is personal.
        part = masks.part(name, field, number=name.casefold() in codes) if whole else masks.text(field)
        lines.append(Line(name or f"{place + 1}", (part,), blamed=bool(name) and name.casefold() in blamed))
    lines += [Line(name, (Part(""),), blamed=name.casefold() in blamed) for name in (names or [])[len(fields) :]]
    return bounded("delimited", lines, tuple(broken))


def header(head: bytes | None, charset: str, delimiter: str, quote: str) -> list[str] | None:
    """The names in a file's first line; None where it is not there or longer than what was read."""
    if not head or b"\n" not in head:
        return None
    text = head.partition(b"\n")[0].decode("utf-8-sig" if head.startswith(b"\xef\xbb\xbf") else charset, "replace")
    fields, closed = fields_of(text.rstrip("\r"), delimiter, quote)
    return [field.strip() for field in fields] if closed else None


def fields_of(line: str, delimiter: str, quote: str) -> tuple[list[str], bool]:
    """The fields of one record, and whether its last quote is closed; an unclosed field runs to the end."""
    fields: list[str] = []
    at = 0
    while True:
        text: list[str] = []
        if line[at : at + 1] == quote:
            at += 1
            while True:
                close = line.find(quote, at)
                if close < 0:
                    return [*fields, "".join([*text, line[at:]])], False
                text.append(line[at:close])
                at = close + 1
                if line[at : at + 1] != quote:
                    break
                text.append(quote)
                at += 1
        end = line.find(delimiter, at)
        text.append(line[at:] if end < 0 else line[at:end])
        fields.append("".join(text))
        if end < 0:
            return fields, True
        at = end + 1


def written(fields: list[str], delimiter: str, quote: str) -> str:
    """The fields as one line; only those in quotes that need it."""

    def one(field: str) -> str:
        if any(sign in field for sign in (delimiter, quote, "\n", "\r")):
            return quote + field.replace(quote, quote * 2) + quote
        return field

    return delimiter.join(map(one, fields))


def _bad_byte(raw: bytes, charset: str) -> int | None:
    try:
        raw.decode(charset)
    except UnicodeDecodeError as error:
        return error.start
    return None
