"""An EDI message segment by segment (UN/EDIFACT, ISO 9735:1988 and :2002, syntax levels A to D)."""

from __future__ import annotations

from dataclasses import dataclass

from include.records.masks import Masks
from include.records.model import MOST_LINES, MOST_PARTS, Broken, Line, Part, Shown, bounded

SERVICE = frozenset({"UNA", "UNB", "UNG", "UNH", "UNS", "UNT", "UNE", "UNZ"})


@dataclass(frozen=True)
class Signs:
    """The characters that divide a message, as its UNA says or by default (ISO 9735:1988, clause 7)."""

    component: str = ":"
    element: str = "+"
    release: str = "?"
    end: str = "'"


def signs_of(text: str) -> Signs:
    """The signs of a message that begins with UNA; else the standard's own."""
    text = text.lstrip("\ufeff \r\n")
    return Signs(text[3], text[4], text[6], text[8]) if text.startswith("UNA") and len(text) >= 9 else Signs()


def looks(text: str) -> bool:
    """Whether a text is an interchange, a message or a segment of one."""
    start = text.lstrip("\ufeff \r\n")[:4]
    return start[:3] in SERVICE and (start[:3] == "UNA" or start[3:4] == "+")


def show(text: str, masks: Masks, signs: Signs | None = None) -> Shown:
    """A line a segment: its tag, then its data elements, components behind each other."""
    signs = signs or signs_of(text)
    lines: list[Line] = []
    for at, segment in enumerate(divided(text, signs.end, signs.release, MOST_LINES * 4)):
        if at == 0 and segment.lstrip("\ufeff \r\n").startswith("UNA"):
            lines.append(Line("UNA", (Part(segment.strip()[3:]),)))
            continue
        tag, *elements = divided(segment.strip("\r\n "), signs.element, signs.release, MOST_PARTS)
        if not tag:
            continue
        parts = [masks.part(tag, _plain(element, signs), str(place)) for place, element in enumerate(elements, 1) if element]
        lines.append(Line(tag[:20], tuple(parts)))
    ended = text.rstrip("\r\n ").endswith(signs.end)
    return bounded("edifact", lines, () if ended else (Broken("segment_open", len(text.encode())),))


def divided(text: str, sign: str, release: str, most: int) -> list[str]:
    """The text cut at a sign that is not released, in at most `most` pieces; released signs stay as they are written."""
    if release == " " or release not in text:
        return text.split(sign, most)
    pieces: list[str] = []
    start = at = 0
    while at < len(text) and len(pieces) < most:
        if text[at] == release:
            at += 2
            continue
        if text[at] == sign:
            pieces.append(text[start:at])
            start = at + 1
        at += 1
    return [*pieces, text[start:]]


def _plain(element: str, signs: Signs) -> str:
    """An element as it is read: components parted by a middle dot, released characters themselves."""
    components = divided(element, signs.component, signs.release, MOST_PARTS)
    return " · ".join(_unreleased(one, signs.release) for one in components)


def _unreleased(text: str, release: str) -> str:
    if release == " " or release not in text:
        return text
    found, at = [], 0
    while at < len(text):
        at += text[at] == release and at + 1 < len(text)
        found.append(text[at])
        at += 1
    return "".join(found)
