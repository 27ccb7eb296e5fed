"""Simple Dublin Core (oai_dc) into a title: the fifteen elements of DCMES 1.1, in the order and the number in which a repository gives them."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from include.marc.steps import clean_isbn, clean_issn, year

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
_OAI = re.compile(r"oai:([A-Za-z][A-Za-z0-9.-]*):(\S+)")
_KINDS = (
    (("journal", "periodical", "serial", "tidskrift", "tidsskrift"), "periodical"),
    (("sound", "audio", "lydbog", "ljudbok"), "audiobook"),
    (("music", "musik", "muziek"), "music"),
    (("movingimage", "video", "film"), "film"),
    (("map", "cartographic", "kort", "karta"), "map"),
    (("game", "software", "spil", "spel"), "game"),
    (("ebook", "e-book", "e-bog", "e-bok"), "ebook"),
    (("book", "text", "bog", "bok", "boek"), "book"),
)


def title_of_dc(xml: bytes, identifier: str, agency: str) -> dict[str, Any] | None:
    """The row of `ils_bibliographic`, None for what is no Dublin Core. The number is the identifier's own, its agency the repository (oai:agency:number)."""
    try:
        root = etree.fromstring(xml, _PARSER)
    except etree.XMLSyntaxError:
        return None
    found: dict[str, list[str]] = {}
    for one in root:
        if isinstance(one.tag, str) and one.text and one.text.strip():
            found.setdefault(one.tag.rpartition("}")[2], []).append(" ".join(one.text.split()))
    if etree.QName(root).localname != "dc":
        return None
    named = _OAI.fullmatch(identifier)
    date = next((date for date in found.get("date", []) if year(date)), None)
    language = next((code.casefold() for code in found.get("language", []) if re.fullmatch(r"[A-Za-z]{3}", code)), None)
    published = year(date) if date else None
    return {
        "control_number": named[2] if named else identifier,
        "agency": named[1] if named else agency,
        "format": "dc",
        "title": next(iter(found.get("title", [])), ""),
        "contributors": _distinct([*found.get("creator", []), *found.get("contributor", [])]),
        "publisher": next(iter(found.get("publisher", [])), None),
        "published": date,
        "year": int(published) if published else None,
        "language": language,
        "isbn": _distinct([number for text in found.get("identifier", []) if (number := clean_isbn(_without_scheme(text, "isbn")))]),
        "issn": _distinct([number for text in found.get("identifier", []) if "issn" in text.casefold() and (number := clean_issn(text))]),
        "material_type": _kind(found.get("type", [])),
        "subjects": _distinct(found.get("subject", [])),
        "deleted": False,
        "encoding": "utf-8",
    }


def _without_scheme(text: str, scheme: str) -> str:
    return re.sub(rf"^\s*(?:urn:)?{scheme}[:\s]*", "", text, flags=re.IGNORECASE)


def _distinct(values: list[str]) -> list[str] | None:
    return list(dict.fromkeys(values)) or None


def _kind(types: list[str]) -> str:
    said = " ".join(types).casefold().replace(" ", "")
    return next((kind for words, kind in _KINDS if any(word in said for word in words)), "other")
