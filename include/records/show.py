"""A record that was set aside, in the form that its own people know it in."""

from __future__ import annotations

from include.engine.quarantine.writing import Form, Writing
from include.records import delimited, edifact, marc, structured
from include.records.masks import Masks
from include.records.model import Broken, Line, Shown, bounded


def form_of(raw: bytes, writing: Writing) -> Form:
    """What its connector says it is; else what its first bytes say."""
    if writing.form is not None:
        return writing.form
    start = raw[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] == b"<":
        return "xml"
    if start[:1] in (b"{", b"["):
        return "json"
    if edifact.looks(start.decode("latin-1")):
        return "edifact"
    if b"\x1e" in raw[:4_096] and start[:5].isdigit():
        return "iso2709"
    return "text"


def show(raw: bytes, masks: Masks, *, head: bytes | None = None, column: str | None = None, whole: bool = True) -> Shown:
    """The record for people; never raises for what its bytes are. `head`: the first bytes of its file, for the names of columns.

    `column`: ours, to blame. `whole`: `raw` is all of the record.
    """
    writing = masks.writing
    match form_of(raw, writing):
        case "iso2709":
            return marc.show(raw, masks, whole=whole)
        case "xml":
            found = structured.show_xml(raw, masks) if whole else Broken("cut", len(raw))
            return found if isinstance(found, Shown) else _text(raw, masks, found)
        case "json":
            shown = structured.show_json(raw, masks, column=column) if whole else None
            return shown or _text(raw, masks, structured.json_fault(raw) if whole else Broken("cut", len(raw)))
        case "edifact":
            return edifact.show(raw.decode(writing.charset if writing.charset != "declared" else "latin-1", "replace"), masks)
        case "delimited":
            names = delimited.header(head, writing.charset, writing.delimiter, writing.quote) if writing.header else None
            return delimited.show(raw, masks, names=names, column=column)
        case _:
            return _text(raw, masks)


def _text(raw: bytes, masks: Masks, broken: Broken | None = None) -> Shown:
    """Lines of text, numbered: for what is no record any more."""
    text = raw[: 1 << 16].decode("utf-8", "replace").replace("\0", "␀")
    lines = [Line(f"{number}", (masks.text(line),)) for number, line in enumerate(text.splitlines(), 1)]
    return bounded("text", lines, () if broken is None else (broken,))
