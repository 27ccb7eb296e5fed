"""A block in which not all is clean: the stretches that are not are read piece by piece, mended, and put back among the others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from include.marc.batch import Bools, Ints
from include.marc.build import Aside, Issue
from include.marc.errors import Unreadable
from include.marc.iso2709.area import Area
from include.marc.iso2709.blocks import SPARE, Block
from include.marc.iso2709.directory import tag_index
from include.marc.iso2709.pieces import BETWEEN, LARGEST_ISO, Piece, pieces
from include.marc.iso2709.repair import Repaired, repair
from include.marc.iso2709.shapes import Fields, Spans

Stretch = tuple[int, int]


def mend(block: Block, spans: Spans, found: Fields, number: int, *, subfields_below_010: bool, wanted: Bools | None) -> Area:
    """The area of a block of which some spans are not clean, or whose end is no end of a record. `number` is that of its first piece."""
    area = _Area(block, spans, found, number, wanted)
    for first, behind in _stretches(block, spans):
        area.clean_upto(first)
        raw = block.buffer[first:behind].tobytes()
        for piece in pieces(raw, top=block.offset + first == 0):
            if not block.last and behind == block.end and _may_go_on(raw, piece):
                return area.done(first + piece.start)
            area.take(raw, first, piece, subfields_below_010=subfields_below_010)
        area.at = behind
    area.clean_upto(block.end)
    return area.done(block.end)


def _stretches(block: Block, spans: Spans) -> Iterator[Stretch]:
    """Runs of bytes from the end of one clean record to the last terminator before the next one, or to the end of the block."""
    bad = np.flatnonzero(~spans.clean).tolist()
    ends = [0, *spans.stop.tolist()]
    tail = ends[-1] if block.buffer[ends[-1] : block.end].tobytes().strip(BETWEEN) else block.end
    runs: list[Stretch] = []
    for span in bad:
        joined = bool(runs) and runs[-1][1] == ends[span]
        runs[len(runs) - joined :] = [(runs[-1][0] if joined else ends[span], ends[span + 1])]
    if tail < block.end:
        joined = bool(runs) and runs[-1][1] == tail
        runs[len(runs) - joined :] = [(runs[-1][0] if joined else tail, block.end)]
    return iter(runs)


def _may_go_on(raw: bytes, piece: Piece) -> bool:
    """Whether the piece, by the length that it states, reaches beyond what has been read so far."""
    stated = raw[piece.start : piece.start + 5]
    reaches = stated.isdigit() and piece.start + int(stated) > len(raw)
    return (reaches or raw[piece.stop - 1] != 0x1D) and len(raw) - piece.start < LARGEST_ISO


class _Area:
    """Grows record by record, in the order of the block."""

    def __init__(self, block: Block, spans: Spans, found: Fields, number: int, wanted: Bools | None) -> None:
        self.block, self.spans, self.found, self.wanted = block, spans, found, wanted
        self.at = 0  # byte of the block up to which all is dealt with
        self.span = 0
        self.piece = number  # number of the next piece
        self.chunks: list[bytes | memoryview] = []
        self.size = 0
        self.number: list[int] = []
        self.offset: list[int] = []
        self.length: list[int] = []
        self.issues: dict[int, tuple[Issue, ...]] = {}
        self.aside: list[Aside] = []
        self.moved = np.zeros(len(spans.start), np.int32)  # by how many bytes each clean span moved
        self.place = np.zeros(len(spans.start), np.int32)  # of each clean span among the records
        self.mended: list[tuple[int, int, int, int, int, bool]] = []  # the columns of Fields

    def clean_upto(self, first: int) -> None:
        """The clean records before byte `first`: their bytes stay, moved as far as damaged ones before them grew or shrank."""
        upto = int(np.searchsorted(self.spans.stop, first, side="right"))
        between = slice(self.span, upto)
        count = upto - self.span
        self.moved[between] = self.size - self.at
        self.place[between] = np.arange(len(self.number), len(self.number) + count)
        self.number += range(self.piece, self.piece + count)
        self.offset += (self.spans.start[between] + np.int64(self.block.offset)).tolist()
        self.length += (self.spans.stop[between] - self.spans.start[between]).tolist()
        self._append(self.block.buffer[self.at : first].data)
        self.piece, self.span, self.at = self.piece + count, upto, first

    def take(self, stretch: bytes, first: int, piece: Piece, *, subfields_below_010: bool) -> None:
        """A damaged piece: mended, or set aside with its bytes."""
        raw = stretch[piece.start : piece.stop]
        offset, number = self.block.offset + first + piece.start, self.piece
        self.piece += 1
        self.span = int(np.searchsorted(self.spans.stop, first + piece.stop, side="right"))
        try:
            if piece.fault:
                raise Unreadable(piece.fault)
            repaired = repair(raw, piece.repairs, subfields_below_010=subfields_below_010)
        except Unreadable as error:
            self.aside.append(Aside(number, offset, raw, error.reason, error.detail))
            return
        if repaired.issues:
            self.issues[len(self.number)] = repaired.issues
        self._add(repaired)
        self.number.append(number)
        self.offset.append(offset)
        self.length.append(len(raw))

    def _add(self, repaired: Repaired) -> None:
        record = len(self.number)
        at = self.size + len(repaired.leader)
        self.mended.append((record, 0, 0, self.size, at, True))
        taken = []
        for seq, (tag, data, plain) in enumerate(repaired.fields, start=1):
            if self.wanted is not None and not (tag.isascii() and self.wanted[_place_of(tag)]):
                continue
            self.mended.append((record, int.from_bytes(tag, "little"), seq, at, at + len(data), plain))
            taken.append(data)
            at += len(data) + 1
        self._append(repaired.leader + b"\x1e".join([*taken, b""]))

    def _append(self, chunk: bytes | memoryview) -> None:
        self.chunks.append(chunk)
        self.size += len(chunk)

    def done(self, used: int) -> Area:
        """The area, of which `used` bytes of the block were needed."""
        data = np.frombuffer(b"".join([*self.chunks, bytes(SPARE)]), np.uint8)
        old = self.found
        dealt_with = old.start < used
        moved = self.moved[old.rec]
        clean = Fields(self.place[old.rec], old.key, old.seq, old.start + moved, old.end + moved, old.plain)
        kinds = (np.int32, np.uint32, np.int32, np.int32, np.int32, np.bool_)
        mended: list[Ints] = [np.array([row[column] for row in self.mended], kind) for column, kind in enumerate(kinds)]
        joined = [
            np.concatenate([getattr(clean, name)[dealt_with], added])
            for name, added in zip(("rec", "key", "seq", "start", "end", "plain"), mended, strict=True)
        ]
        order = np.argsort(joined[0], kind="stable")
        return Area(
            data[: self.size],
            Fields(*(column[order] for column in joined)),
            np.array(self.number, np.int64),
            np.array(self.offset, np.int64),
            np.array(self.length, np.int64),
            used,
            self.block,
            self.issues,
            tuple(self.aside),
        )


def _place_of(tag: bytes) -> int:
    return int(tag_index(np.array([int.from_bytes(tag, "little")], np.uint32))[0])
