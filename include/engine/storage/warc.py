"""Pages as they were fetched, one after the other in one file: WARC records of the type `resource` (ISO 28500:2017, WARC/1.1).

Any WARC tool reads it. What a page is about stands in its header: the request (without secrets), the moment, and fields of the flow's own.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO

from include.engine.errors import Refused

_BEGIN = b"WARC/1.1\r\n"
_STEP = 1 << 20
_LONGEST_HEADER = 1 << 16


@dataclass(frozen=True)
class Page:
    """What a server answered: `uri` is what was asked, `at` (aware) when; `fields` are named `Bindery-...` in the file.

    `offset` is that of the first byte of `content` in the file, where the page was read from one.
    """

    uri: str
    at: datetime
    content: bytes
    kind: str = "text/xml"
    fields: Mapping[str, str] = field(default_factory=dict)
    offset: int = 0


def pack(page: Page) -> bytes:
    """The page as one WARC record. ValueError for a field that would break out of its line."""
    return b"".join(pieces(page))


def pieces(page: Page) -> tuple[bytes, bytes, bytes]:
    """The same in pieces, to be written one after the other: the page's own bytes are not copied."""
    lines = [
        f"WARC-Type: resource\r\nWARC-Record-ID: <urn:uuid:{uuid.uuid4()}>\r\nWARC-Date: {page.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        f"WARC-Target-URI: {page.uri}\r\nContent-Type: {page.kind}",
        *(f"Bindery-{name}: {value}" for name, value in page.fields.items()),
        f"Content-Length: {len(page.content)}",
    ]
    if any(re.search(r"[\r\n]", text) for text in (page.uri, page.kind, *page.fields, *page.fields.values())):
        raise ValueError("a field of a WARC header holds a line break")
    return _BEGIN + "\r\n".join(lines).encode() + b"\r\n\r\n", page.content, b"\r\n\r\n"


def pages(stream: BinaryIO) -> Iterator[Page]:
    """Every page of an unpacked file, in order; holds one in memory. Refused ARCHIVE_TRUNCATED, ARCHIVE_BAD_CRC for what `pack` did not write."""
    held, start = bytearray(), 0
    while True:
        while (end := held.find(b"\r\n\r\n")) < 0:
            block = stream.read(_STEP)
            if not block:
                if held:
                    raise _broken("ARCHIVE_TRUNCATED", "the kept pages are cut short")
                return
            held += block
            if len(held) > _LONGEST_HEADER and held.find(b"\r\n\r\n") < 0:
                raise _broken("ARCHIVE_BAD_CRC", "what was kept holds no pages")
        if not held.startswith(_BEGIN):
            raise _broken("ARCHIVE_BAD_CRC", "what was kept holds no pages")
        head = dict(line.split(": ", 1) for line in held[len(_BEGIN) : end].decode().split("\r\n"))
        first, size = end + 4, int(head["Content-Length"])
        while len(held) < first + size + 4:
            block = stream.read(max(_STEP, first + size + 4 - len(held)))
            if not block:
                raise _broken("ARCHIVE_TRUNCATED", "the kept pages are cut short")
            held += block
        with memoryview(held) as whole:
            content = bytes(whole[first : first + size])
        yield Page(
            head["WARC-Target-URI"],
            datetime.fromisoformat(head["WARC-Date"]),
            content,
            head["Content-Type"],
            {name.removeprefix("Bindery-"): value for name, value in head.items() if name.startswith("Bindery-")},
            start + first,
        )
        del held[: first + size + 4]
        start += first + size + 4


def _broken(code: str, what: str) -> Refused:
    return Refused(what, do="Fetch them again.", code=code)
