"""Reads a library's files back with other people's parsers: csv, json, pymarc, lxml."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

CHARSETS = {"lindeby": "utf-8-sig", "havnsund": "utf-8", "almvik": "utf-8", "molendal": "iso-8859-1"}
DELIMITERS = {"lindeby": ";", "havnsund": ",", "molendal": ";"}


def octets(path: Path) -> bytes:
    """The file's bytes, unpacked."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            (name,) = archive.namelist()
            return archive.read(name)
    return path.read_bytes()


def rows(library: str, path: Path) -> list[dict[str, Any]]:
    """All rows of a table file that has no broken ones."""
    text = octets(path).decode(CHARSETS[library])
    if library == "almvik":
        return [json.loads(line) for line in text.splitlines()]
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=DELIMITERS[library], strict=True))


def lines(library: str, path: Path) -> int:
    """Records of a table file, broken or not: none spans lines."""
    count = octets(path).count(b"\n")
    return count if library == "almvik" else count - 1


def xml_records(path: Path) -> Iterator[Any]:
    """MARCXML's record elements."""
    yield from etree.fromstring(octets(path)).iterfind("{http://www.loc.gov/MARC21/slim}record")
