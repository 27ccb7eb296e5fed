"""An XML file as UTF-8, whatever it is written in, and the way back to the places and bytes of the file itself.

UTF-8 passes through. Other encodings are written anew as UTF-8, chunk by chunk; what they cannot hold becomes bytes that are no UTF-8, so that the
record in which it stands is set aside, and no other.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

import numpy as np

from include.engine.errors import Refused
from include.marc.batch import Bools, Ints
from include.marc.charsets import NAMES
from include.marc.marcxml.window import Readable

HEAD = 1024
DECLARED = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
#: UTF-16 without a byte order mark is known by its first `<` (XML 1.0, appendix F).
UNMARKED = ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))
SAME = {"utf-8": "utf-8", "us-ascii": "utf-8", "ascii": "utf-8", "utf8": "utf-8"}
OTHER = ("iso-8859-1", "iso-8859-15", "windows-1252", "windows-1251", "utf-16", "utf-16-le", "utf-16-be")


@dataclass(frozen=True)
class Encoding:
    """How the file is written; `mark` bytes of it are its byte order mark."""

    name: str
    mark: int

    @property
    def charset(self) -> int:
        """Its number in include.marc.charsets.NAMES; UTF-16 counts as UTF-8, being the same characters."""
        return NAMES.index(self.name) if self.name in NAMES else 0

    @property
    def is_utf8(self) -> bool:
        """Whether bytes can be taken as they are."""
        return self.name == "utf-8"

    def original(self, data: bytes) -> bytes:
        """The bytes of the file that became `data`."""
        return data if self.is_utf8 else data.decode("utf-8", "surrogatepass").encode(self.name, self._errors)

    def widths(self, data: Ints) -> Ints:
        """How many bytes of the file stand behind each byte of UTF-8; an array of int64."""
        if self.is_utf8:
            return np.ones(len(data), np.int64)
        first: Bools = (data & 0xC0) != 0x80
        if self.name.startswith("utf-16"):
            return np.where(data >= 0xF0, 4, np.where(first, 2, 0)).astype(np.int64)
        return first.astype(np.int64)

    @property
    def _errors(self) -> str:
        return "surrogatepass" if self.name.startswith("utf-16") else "surrogateescape"


def encoding_of(head: bytes, where: str) -> Encoding:
    """By byte order mark, by the first bytes, by declaration. Raises Refused (CHARSET_REFUSED) for one that we do not read."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise Refused("the XML is in utf-32", where=where, do="Deliver it as UTF-8.", code="CHARSET_REFUSED")
    for mark, name in MARKS:
        if head.startswith(mark):
            return Encoding(name, len(mark))
    for first, name in UNMARKED:
        if head.startswith(first):
            return Encoding(name, 0)
    found = DECLARED.search(head)
    name = found[1].decode("ascii").casefold() if found else "utf-8"
    if name in SAME:
        return Encoding(SAME[name], 0)
    if name not in OTHER or b"\0" in head[:64] or name.startswith("utf-16"):
        raise Refused(f"the XML is in {name}", where=where, do="Deliver it as UTF-8.", code="CHARSET_REFUSED")
    return Encoding(name, 0)


class AsUtf8:
    """A stream of another encoding, read as UTF-8."""

    def __init__(self, stream: Readable, encoding: Encoding) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding.name)(encoding._errors)
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end."""
        while not self._rest:
            part = self._stream.read(size)
            self._rest = self._decoder.decode(part, final=not part).encode("utf-8", "surrogatepass")
            if not part:
                break
        found, self._rest = self._rest[:size], self._rest[size:]
        return found
