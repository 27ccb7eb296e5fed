"""Where the records lie in a page: byte spans of the elements `record` (or `header`, in a list of identifiers).

In well-formed XML without comments, CDATA sections and processing instructions, `<` begins a tag and nothing else, so that tags can be found without a
parser. An OAI record is told from a record inside it (MARCXML has an element of the same name) by its first child, which is a header.
Where the page is not so plain, or what is found does not add up, expat says where the elements are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal
from xml.parsers import expat

Element = Literal["record", "header"]
_NAME = rb"(?:[A-Za-z_][\w.-]*:)?"
_ATTRIBUTES = rb"""(?:\s(?:[^>"']|"[^"]*"|'[^']*')*)?"""  # a value may hold a ">"
_ANY: dict[Element, re.Pattern[bytes]] = {
    "record": re.compile(rb"<(" + _NAME + rb"record)" + _ATTRIBUTES + rb">\s*(?=<" + _NAME + rb"header[\s>/])"),
    "header": re.compile(rb"<(" + _NAME + rb"header)" + _ATTRIBUTES + rb">"),
}
_PARENTS = {"ListRecords", "GetRecord", "ListIdentifiers"}


@dataclass(frozen=True, slots=True)
class Span:
    """Offset of the element's first byte, and of the byte after its last."""

    start: int
    end: int


def spans(page: bytes, element: Element) -> list[Span]:
    """The spans in a well-formed page (UTF-8), in order."""
    if b"<!" not in page and page.count(b"<?") <= 1:
        found = quick_spans(page, element)
        if found is not None:
            return found
    return exact_spans(page, element)


def quick_spans(page: bytes, element: Element) -> list[Span] | None:
    """By their tags; None when something other than white space stands between two of them, so that they cannot be what they seem."""
    first = _ANY[element].search(page)
    if first is None:
        return []
    named = _spelled(element, first[1])
    starts = [found.start() for found in named.finditer(page, first.start())]
    closing, found, end = b"</" + first[1], list[Span](), starts[0]
    for number, start in enumerate(starts):
        if number and page[end:start].strip():
            return None
        limit = starts[number + 1] if number + 1 < len(starts) else len(page)
        last = page.rfind(closing, start, limit)
        end = page.find(b">", last) + 1 if last >= 0 else 0
        if not 0 < end <= limit:
            return None
        found.append(Span(start, end))
    return None if _ANY[element].search(page, end) else found


@cache
def _spelled(element: Element, name: bytes) -> re.Pattern[bytes]:
    """The start tag as the page's first record spells it: a literal to search by, which is quick."""
    behind = rb"\s*(?=<" + _NAME + rb"header[\s>/])" if element == "record" else b""
    return re.compile(b"<" + re.escape(name) + _ATTRIBUTES + rb">" + behind)


def exact_spans(page: bytes, element: Element) -> list[Span]:
    """By expat: every `element` that is a child of ListRecords, GetRecord or ListIdentifiers, wherever comments and CDATA stand."""
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
