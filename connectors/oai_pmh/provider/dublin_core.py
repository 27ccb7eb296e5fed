"""A lake row as Dublin Core, in the order of the DCMES elements. Source of the mapping: MARC to Dublin Core, loc.gov/marc/marc2dc.html."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

from include.marc.record import NOT_XML

#: The contract's material types as terms of the DCMI Type Vocabulary (dublincore.org/specifications/dublin-core/dcmi-terms).
TYPES = {
    "book": "Text",
    "ebook": "Text",
    "periodical": "Text",
    "audiobook": "Sound",
    "music": "Sound",
    "film": "MovingImage",
    "game": "InteractiveResource",
    "map": "StillImage",
}
COLUMNS = (
    "control_number", "agency", "title", "subtitle", "contributors", "publisher", "published", "year", "language", "isbn", "issn", "material_type",
    "subjects", "classification",
)  # fmt: skip


def dublin_core(row: Mapping[str, Any], rights: str | None) -> bytes:
    """The inside of an oai_dc:dc element, in UTF-8; an element for each value that says something."""
    parts = []
    for name, value in _statements(row, rights):
        text = NOT_XML.sub("", str(value)).strip()
        if text:
            parts.append(f"<dc:{name}>{escape(text)}</dc:{name}>")
    return "".join(parts).encode()


def _statements(row: Mapping[str, Any], rights: str | None) -> Iterator[tuple[str, Any]]:
    yield "title", f"{row['title']} : {row['subtitle']}" if row["subtitle"] else row["title"]
    for name in row["contributors"] or ():
        yield "creator", name or ""
    for subject in row["subjects"] or ():
        yield "subject", subject or ""
    yield "subject", row["classification"] or ""
    yield "publisher", row["publisher"] or ""
    yield "date", row["year"] or row["published"] or ""
    yield "type", TYPES.get(row["material_type"], "")
    yield "type", row["material_type"]
    yield "identifier", f"({row['agency']}){row['control_number']}"
    for isbn in row["isbn"] or ():
        yield "identifier", f"urn:isbn:{isbn}" if isbn else ""
    for issn in row["issn"] or ():
        yield "identifier", f"urn:issn:{issn}" if issn else ""
    yield "language", row["language"] or ""
    yield "rights", rights or ""
