"""JSON and XML, a line a value, indented as they nest."""

from __future__ import annotations

import json
from typing import Any

from lxml import etree

from include.engine.privacy.guard import is_code
from include.marc.errors import Unreadable
from include.marc.marcxml.fragment import parsed
from include.records.marc import lines_of
from include.records.masks import Masks
from include.records.model import MOST_LINES, MOST_PARTS, Broken, Line, Shown, bounded

DEEPEST = 40


def show_json(raw: bytes, masks: Masks, *, column: str | None) -> Shown | None:
    """A line a value, by its path (`addresses.0.city`); None for what is no JSON, with nothing said."""
    try:
        value = json.loads(raw.decode("utf-8-sig"), parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    blamed = {name.casefold() for name in masks.writing.theirs(column)}
    codes = {name.casefold() for ours, theirs in masks.writing.columns.items() if is_code(ours) for name in theirs}
    lines: list[Line] = []
    stack: list[tuple[str, str, int, Any]] = [("", "", 0, value)]
    while stack and len(lines) <= 4 * MOST_LINES:
        path, name, depth, node = stack.pop()
        inner = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else None
        if inner is not None and depth < DEEPEST:
            if name:
                lines.append(Line(name, (), depth=depth - 1, blamed=path.casefold() in blamed))
            stack += [(f"{path}.{key}" if path else str(key), str(key), depth + 1, child) for key, child in reversed(inner)]
            continue
        text = node if isinstance(node, str) else json.dumps(node, ensure_ascii=False)
        text = "" if node is None else text
        part = masks.part(path, text, number=path.casefold() in codes)
        lines.append(Line(name, (part,), depth=max(0, depth - 1), blamed=path.casefold() in blamed))
    return bounded("json", lines)


def json_fault(raw: bytes) -> Broken:
    """Where JSON breaks off."""
    try:
        text = raw.decode("utf-8-sig")
        json.loads(text)
    except UnicodeDecodeError as error:
        return Broken("charset", error.start)
    except json.JSONDecodeError as error:
        return Broken("JSON_UNREADABLE", len(text[: error.pos].encode()))
    except (ValueError, RecursionError):
        return Broken("JSON_UNREADABLE")
    return Broken("JSON_UNREADABLE")


def show_xml(raw: bytes, masks: Masks) -> Shown | Broken:
    """MARC in XML as MARC, other XML a line an element; a Broken where it is no XML (or has a DTD, which is never read)."""
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        return Broken("XML_DTD", max(raw.find(b"<!DOCTYPE"), raw.find(b"<!ENTITY"), 0))
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        marc = _marc(raw, masks)
        return marc or Broken("XML_UNREADABLE", getattr(error, "position", (1, 0))[1] if getattr(error, "lineno", 1) == 1 else None)
    for record in root.iter():
        if isinstance(record.tag, str) and etree.QName(record).localname in {"datafield", "controlfield"}:
            holder = record.getparent()
            marc = None if holder is None else _marc(etree.tostring(holder, with_tail=False), masks)
            if marc is not None:
                return Shown("marc", (*_elements(root, masks, stop=holder), *marc.lines), marc.broken, marc.more)
    return bounded("xml", _elements(root, masks))


def _marc(raw: bytes, masks: Masks) -> Shown | None:
    if b"datafield" not in raw and b"controlfield" not in raw:
        return None
    try:
        record, issues = parsed(raw, masks.writing.family)
    except (Unreadable, IndexError, ValueError):
        return None
    return bounded("marc", lines_of(record, masks), tuple(Broken(reason) for reason in dict.fromkeys(issue.reason for issue in issues)))


def _elements(root: Any, masks: Masks, stop: Any = None) -> list[Line]:
    """A line an element that holds text or attributes, down to `stop`."""
    lines: list[Line] = []
    stack: list[tuple[int, Any]] = [(0, root)]
    while stack and len(lines) <= 4 * MOST_LINES:
        depth, node = stack.pop()
        if node is stop or not isinstance(node.tag, str):
            continue
        name = etree.QName(node).localname
        parts = [masks.part(name, value, etree.QName(key).localname) for key, value in list(node.attrib.items())[:MOST_PARTS]]
        text = (node.text or "").strip()
        parts += [masks.part(name, text)] if text else []
        lines.append(Line(name, tuple(parts), depth=min(depth, DEEPEST)))
        stack += [(depth + 1, child) for child in reversed(node)]
        if node.tail and node.tail.strip():
            lines.append(Line("", (masks.part("", node.tail.strip()),), depth=min(depth, DEEPEST)))
    return lines
