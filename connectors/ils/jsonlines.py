"""JSON lines: a stream of bytes into blocks of text columns, one object a line (RFC 8259)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from connectors.ils.damaged import LONGEST
from connectors.ils.header import BOM, wanted
from connectors.ils.profile import TableProfile
from connectors.ils.texts import TextBlock
from include.engine.errors import Refused

ROWS = 50_000
DEEPEST = 64


def read_jsonlines(stream: BinaryIO, member: str, profile: TableProfile, *, where: str, rows: int = ROWS) -> Iterator[TextBlock]:
    """Blocks of up to `rows` objects. A dotted path of the profile leads into objects, a number in it into an array (`addresses.0.city`).

    Raises Refused (CHARSET_REFUSED) for a file in UTF-16. A line that is no object is set aside (JSON_UNREADABLE).
    """
    paths = {name: name.split(".") for name in sorted(wanted(profile))}
    known = {path[0] for path in paths.values()} | set(profile.ignored)
    reader = _Rows(member, paths, known)
    offset = record = 0
    for line in _lines(stream):
        start = offset
        offset += len(line)
        if not start and line[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise Refused("the file is UTF-16", where=where, do="Deliver it as UTF-8.", code="CHARSET_REFUSED")
        if not line.strip(b" \t\r\n\x1a" + (BOM if not start else b"")):
            continue
        record += 1
        reader.add(record, start, line)
        if len(reader) == rows:
            yield reader.block()
    if len(reader) or record == 0:
        yield reader.block()


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Lines with their ends, from any stream that can be read; a longer line than LONGEST comes in one piece, cut by nobody."""
    rest = b""
    while part := stream.read(1 << 20):
        pieces = (rest + part).split(b"\n")
        rest = pieces.pop()
        for piece in pieces:
            yield piece + b"\n"
        if len(rest) > 16 * LONGEST:
            yield rest
            rest = b""
    if rest:
        yield rest


class _Rows:
    """The rows of the block that is being filled."""

    def __init__(self, member: str, paths: dict[str, list[str]], known: set[str]) -> None:
        self.member, self.paths, self.known = member, paths, known
        self._seen: set[str] = set()
        self._told: set[str] = set()
        self._clear()

    def _clear(self) -> None:
        self.texts: dict[str, list[str | None]] = {name: [] for name in self.paths}
        self.places: list[tuple[int, int, bytes]] = []
        self.aside: list[dict[str, Any]] = []
        self.broken: dict[str, list[str | None]] = {name: [] for name in self.paths}

    def __len__(self) -> int:
        return len(self.places) + len(self.aside)

    def add(self, record: int, offset: int, line: bytes) -> None:
        """Read one line; what is no JSON object is set aside."""
        fault = ""
        value: Any = None
        if len(line) > LONGEST:
            fault = "RECORD_TOO_LONG"
        else:
            try:
                value = json.loads(line.decode("utf-8-sig" if offset == 0 else "utf-8"), parse_int=str, parse_float=str)
            except UnicodeDecodeError:
                fault = "CHARSET_WRONG"
            except (ValueError, RecursionError):
                fault = "JSON_UNREADABLE"
            if not fault and (not isinstance(value, dict) or _depth(value) > DEEPEST):
                fault = "JSON_UNREADABLE"
            if not fault and "\\u0000" in line.decode("utf-8", "replace"):
                fault = "NUL_IN_TEXT"
        if fault:
            place = {"member": self.member, "record": record, "offset": offset, "length": len(line)}
            self.aside.append({**place, "reason": fault, "column": None, "detail": None, "raw": line[:LONGEST]})
            for name, path in self.paths.items():
                self.broken[name].append(_told(line[:LONGEST], path))
            return
        self._seen |= value.keys()
        self.places.append((record, offset, line))
        for name, path in self.paths.items():
            self.texts[name].append(_leaf(value, path))

    def block(self) -> TextBlock:
        """The rows so far, and a fresh start."""
        warnings = Counter({f"COLUMN_NEW:{name}": 1 for name in sorted(self._seen - self.known - self._told)})
        self._told |= self._seen
        places, aside = self.places, self.aside
        columns = {name: pa.array(texts, pa.string()) for name, texts in self.texts.items()}
        broken = {name: pa.array(texts, pa.string()) for name, texts in self.broken.items()}
        self._clear()
        return TextBlock(
            self.member,
            columns,
            np.array([record for record, _, _ in places], np.int64),
            np.array([offset for _, offset, _ in places], np.int64),
            np.array([len(line) for _, _, line in places], np.int64),
            lambda row: places[row][2],
            aside,
            warnings,
            len(places) + len(aside),
            broken,
        )


def _leaf(value: Any, path: list[str]) -> str | None:
    """The text at a path; null where the path does not lead to a plain value."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) and value else None


def _told(line: bytes, path: list[str]) -> str | None:
    """What a line that is no object seems to say for a plain name: a text or a number right behind it."""
    if len(path) != 1:
        return None
    found = re.search(rb'"' + re.escape(path[0].encode()) + rb'"\s*:\s*(?:"([^"\\]+)"|(-?\d+)\s*[,}])', line)
    return (found[1] or found[2]).decode("utf-8", "ignore") if found else None


def _depth(value: Any) -> int:
    """How deep objects and arrays nest, without recursion."""
    deepest, todo = 0, [(value, 1)]
    while todo:
        node, depth = todo.pop()
        deepest = max(deepest, depth)
        if isinstance(node, dict | list):
            todo += [(child, depth + 1) for child in (node.values() if isinstance(node, dict) else node) if isinstance(child, dict | list)]
    return deepest
