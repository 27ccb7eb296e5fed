"""As much of BER (ITU-T X.690) as CMS needs: elements of known length are written whole, those of unknown length are opened and ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

NULL = b"\x05\x00"
OPEN_SEQUENCE = b"\x30\x80"
END = b"\x00\x00"
MOST = 1 << 20  # bytes of an element that is read whole: recipients and names, never content


def element(tag: int, content: bytes) -> bytes:
    """One element with its length (8.1.3)."""
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def sequence(*parts: bytes) -> bytes:
    """SEQUENCE."""
    return element(0x30, b"".join(parts))


def tagged(number: int, content: bytes) -> bytes:
    """[number] EXPLICIT."""
    return element(0xA0 | number, content)


def open_tag(number: int) -> bytes:
    """[number], constructed, of unknown length; it is ended by END."""
    return bytes((0xA0 | number, 0x80))


def octets(content: bytes) -> bytes:
    """OCTET STRING."""
    return element(0x04, content)


def integer(value: int) -> bytes:
    """INTEGER, in the fewest octets."""
    return element(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER (8.19)."""
    first, second, *rest = map(int, dotted.split("."))
    content = b""
    for number in (40 * first + second, *rest):
        septets = [number & 0x7F]
        while number := number >> 7:
            septets.insert(0, number & 0x7F | 0x80)
        content += bytes(septets)
    return element(0x06, content)


def _header(data: bytes, at: int) -> tuple[int, int, int]:
    """(tag, where the content begins, its length) of the element at `at`; ValueError for one of unknown length."""
    try:
        tag, size, start = data[at], data[at + 1], at + 2
        if size == 0x80:
            raise ValueError("an element of unknown length, where none may be")
        if size > 0x80:
            start += size & 0x7F
            size = int.from_bytes(data[at + 2 : start], "big")
    except IndexError:
        raise ValueError("an element is cut short") from None
    if start + size > len(data):
        raise ValueError("an element is cut short")
    return tag, start, size


def children(data: bytes) -> list[tuple[int, bytes]]:
    """The elements that lie one behind the other in `data`: tag and content of each."""
    found, at = [], 0
    while at < len(data):
        tag, start, size = _header(data, at)
        found.append((tag, data[start : start + size]))
        at = start + size
    return found


def whole_children(data: bytes) -> list[bytes]:
    """As `children`, each with its tag and length."""
    found, at = [], 0
    while at < len(data):
        _, start, size = _header(data, at)
        found.append(data[at : start + size])
        at = start + size
    return found


class Reader:
    """Reads a stream element by element. ValueError for what was not expected, EOFError where the stream ends too soon."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source

    def enter(self, tag: int) -> None:
        """Go into a constructed element; its end is not looked for."""
        self._expect(tag)

    def primitive(self, tag: int) -> bytes:
        """The content of an element of known length."""
        size = self._expect(tag)
        if size is None or size > MOST:
            raise ValueError("an element is too long")
        return self._read(size)

    def whole(self, tag: int) -> bytes:
        """The content of a constructed element, of known length or not (its own children must have known lengths)."""
        size = self._expect(tag)
        if size is not None:
            if size > MOST:
                raise ValueError("an element is too long")
            return self._read(size)
        found = b""
        while (head := self._tag()) != (0, 0):
            inner, length = head
            if length is None or len(found) + length > MOST:
                raise ValueError("an element is too long")
            found += element(inner, self._read(length))
        return found

    def octets(self, tag: int, block: int = 1 << 16) -> Iterator[bytes]:
        """The content of an octet string under an implicit tag (`tag`: as if primitive), of known length or in pieces, block by block."""
        found, size = self._tag()
        if found == tag and size is not None:
            yield from self._blocks(size, block)
        elif found == tag | 0x20 and size is None:
            while (head := self._tag()) != (0, 0):
                if head[0] != 0x04 or head[1] is None:
                    raise ValueError("an octet string was expected")
                yield from self._blocks(head[1], block)
        else:
            raise ValueError("an octet string was expected")

    def _blocks(self, size: int, block: int) -> Iterator[bytes]:
        while size:
            part = self._read(min(size, block))
            size -= len(part)
            yield part

    def _expect(self, tag: int) -> int | None:
        found, size = self._tag()
        if found != tag:
            raise ValueError(f"the tag {tag:#x} was expected, not {found:#x}")
        return size

    def _tag(self) -> tuple[int, int | None]:
        tag, first = self._read(2)
        if first == 0x80:
            return tag, None
        if first < 0x80:
            return tag, first
        return tag, int.from_bytes(self._read(first & 0x7F), "big")

    def _read(self, size: int) -> bytes:
        found = self._source.read(size)
        while len(found) < size:
            more = self._source.read(size - len(found))
            if not more:
                raise EOFError("the file is cut short")
            found += more
        return found
