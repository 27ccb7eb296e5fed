"""Where the records lie in a page, by a parser: byte spans of the elements `record` (or `header`, in a list of identifiers).

For pages that are not plain, and where nothing can be compiled; marks.py finds the same in a plain page, some five times as fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from xml.parsers import expat

Element = Literal["record", "header"]
_PARENTS = {"ListRecords", "GetRecord", "ListIdentifiers"}


@dataclass(frozen=True, slots=True)
class Span:
    """Offset of the element's first byte, and of the byte after its last."""

    start: int
    end: int


def spans(page: bytes, element: Element) -> list[Span]:
    """The spans in a well-formed page (UTF-8), in order: every `element` that is a child of ListRecords, GetRecord or ListIdentifiers."""
    parser = expat.ParserCreate("utf-8")
    path: list[str] = []
    found: list[Span] = []
    begun = [0]

    def start(name: str, _attributes: object) -> None:
        path.append(name.rpartition(":")[2])
        if len(path) == 3 and path[2] == element and path[1] in _PARENTS:
            begun[0] = parser.CurrentByteIndex

    def end(_name: str) -> None:
        if len(path) == 3 and path[2] == element and path[1] in _PARENTS:
            found.append(Span(begun[0], page.index(b">", parser.CurrentByteIndex) + 1))
        path.pop()

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.Parse(page, True)
    return found
