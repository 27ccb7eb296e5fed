"""A page's bytes as UTF-8, whatever they are and whatever they say they are; and the way back to where something stood in the bytes as they came."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from connectors.oai_pmh.harvest.marks import is_utf8

_DECLARED = re.compile(rb"""^<\?xml[^>]*\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_ROOT_END = re.compile(rb"</(?:[A-Za-z_][\w.-]*:)?OAI-PMH\s*>")
_BEGIN = re.compile(rb"<\?xml\s|<(?:[A-Za-z_][\w.-]*:)?OAI-PMH[\s>]")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_SINGLE = {"iso-8859-1", "iso8859-1", "iso-8859-15", "windows-1252", "cp1252", "us-ascii", "ascii", "latin-1"}


@dataclass(frozen=True)
class Text:
    """`utf8` is the document from its first byte to its last, without what stood around it. `encoding` is what it was read as, `cut` the bytes before it.

    `broken`: not valid in `encoding`; `utf8` then holds the bytes as they came. `notes` are reasons (of reasons/oai.yaml) that are worth a word.
    """

    utf8: bytes
    encoding: str
    cut: int
    closed: bool
    broken: bool
    notes: tuple[str, ...]

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Offset and length, in the bytes as they came, of what is at `start` to `end` in `utf8`."""
        if self.broken or self.encoding == "utf-8":
            return self.cut + start, end - start
        before, inside = (self.utf8[a:b].decode().encode(self.encoding) for a, b in ((0, start), (start, end)))
        return self.cut + len(before), len(inside)


def text_of(content: bytes) -> Text:
    """The document in `content`. UTF-8 is what the protocol demands (OAI-PMH 2.0, 3.2): what is valid UTF-8 is read so, whatever it declares."""
    bom, encoding = next((pair for pair in _BOMS if content.startswith(pair[0])), (b"", ""))
    if encoding.startswith("utf-16"):
        try:
            document = content[len(bom) :].decode(encoding).encode()
        except UnicodeDecodeError:
            return Text(content, "utf-8", 0, False, True, ())
        return _closed(document, encoding, len(bom), ["OAI_ENCODING_DECLARED"], False)
    notes: list[str] = []
    begin = _BEGIN.search(content)
    cut = begin.start() if begin else len(bom)
    if content[len(bom) : cut].strip():
        notes.append("OAI_GARBAGE_AROUND")
    document = content[cut:]
    declared = _DECLARED.match(document)
    named = declared[1].decode().lower() if declared else "utf-8"
    if not is_utf8(document):
        if named in _SINGLE:
            known = codecs.lookup("windows-1252" if named in {"latin-1", "iso-8859-1", "iso8859-1"} and _c1(document) else named).name
            try:
                return _closed(document.decode(known).encode(), known, cut, [*notes, "OAI_ENCODING_DECLARED"], False)
            except UnicodeDecodeError:
                pass
        return _closed(document, "utf-8", cut, notes, True)
    if named not in {"utf-8", "utf8"} and not document.isascii():
        notes.append("OAI_ENCODING_WRONG")
    return _closed(document, "utf-8", cut, notes, False)


def strict_text(content: bytes) -> Text:
    """The document in content that `text_of` took without a note when it came: it is UTF-8, and is not held against that again."""
    begin = _BEGIN.search(content)
    cut = begin.start() if begin else 0
    return _closed(content[cut:], "utf-8", cut, [], False)


def _c1(document: bytes) -> bool:
    """Whether there are bytes that are controls in ISO 8859-1 and letters or quotes in Windows-1252, which is then meant."""
    return bool(re.search(rb"[\x80-\x9f]", document))


def _closed(document: bytes, encoding: str, cut: int, notes: list[str], broken: bool) -> Text:
    """Up to the end of the root element; what follows it is no part of the document."""
    last = _ROOT_END.search(document, max(0, len(document) - 65536)) or _ROOT_END.search(document)
    if last is None:
        return Text(document, encoding, cut, False, broken, tuple(notes))
    if re.sub(rb"<!--.*?-->|\s", b"", document[last.end() :], flags=re.DOTALL):
        notes.append("OAI_GARBAGE_AROUND")
    return Text(document[: last.end()], encoding, cut, True, broken, tuple(dict.fromkeys(notes)))
