"""CSV and TSV: a stream of bytes into blocks of text columns.

The work is done on blocks of the original bytes, some 16 MB each: NumPy finds the lines and judges them (`lines.py`), Arrow's CSV reader
cuts all clean ones into columns at once, and each other line is mended or refused by itself (`damaged.py`). So memory does not grow with
the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from pyarrow import csv

from connectors.ils import damaged, lines
from connectors.ils.header import BOM, Header, read_header
from connectors.ils.profile import TableProfile
from connectors.ils.texts import TextBlock
from include.engine.errors import Refused

BLOCK = 16 << 20
Texts = dict[str, pa.StringArray]


def read_delimited(stream: BinaryIO, member: str, profile: TableProfile, *, where: str, block: int = BLOCK) -> Iterator[TextBlock]:
    """Blocks of rows; the first one carries what the header had to say. Raises Refused for a header that cannot be used."""
    data = _fill(stream, b"", block)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Refused("the file is UTF-16", where=where, do=f"Deliver it as {profile.charset}.", code="CHARSET_REFUSED")
    offset = len(BOM) if data.startswith(BOM) else 0
    charset = "utf-8" if offset else profile.charset
    end = lines.line_end(data[: 1 << 20])
    stop = data.find(bytes([end]))
    stop = len(data) if stop < 0 else stop
    if not data[offset:stop].strip():
        raise Refused("the file has no header line", where=where, code="HEADER_MISSING")
    header = read_header(data[offset:stop].rstrip(b"\r\n"), profile, charset, where)
    shape = damaged.Shape(
        len(header.names), profile.delimiter.encode(), profile.quote.encode(), charset, header.raw, frozenset(header.index.values())
    )
    reader = _Reader(member, profile, header, shape, end)
    reader.warnings.update(header.warnings)
    offset, rest = stop + 1, data[stop + 1 :]
    while True:
        last = len(data) < block
        found, used = reader.take(rest, offset, last=last)
        if found is not None:
            yield found
        if last:
            return
        offset, rest = offset + used, rest[used:]
        data = _fill(stream, b"", block)
        rest += data


def _fill(stream: BinaryIO, start: bytes, size: int) -> bytes:
    """Exactly `size` bytes, fewer only at the end of the stream."""
    parts, have = [start], len(start)
    while have < size:
        part = stream.read(size - have)
        if not part:
            break
        parts.append(part)
        have += len(part)
    return b"".join(parts)


class _Reader:
    """What is remembered from block to block: the record count, whether a monstrous line is being skipped, and warnings not yet told."""

    def __init__(self, member: str, profile: TableProfile, header: Header, shape: damaged.Shape, end: int) -> None:
        self.member, self.profile, self.header, self.shape, self.end = member, profile, header, shape, end
        self.records, self.skipping = 0, False
        self.warnings: Counter[str] = Counter()
        self.names = [f"{at}" for at in range(shape.fields)]

    def take(self, data: bytes, offset: int, *, last: bool) -> tuple[TextBlock | None, int]:
        """(rows of the whole lines in `data`, bytes used); an unfinished line waits for more, unless this is the `last` block."""
        whole = len(data) if last else data.rfind(bytes([self.end])) + 1
        if self.skipping:
            skip = data.find(bytes([self.end])) + 1
            if not skip:
                return None, len(data)
            self.skipping = False
            block, used = self.take(data[skip:], offset + skip, last=last)
            return block, used + skip
        if not whole:
            if len(data) <= damaged.LONGEST:
                return None, 0
            self.records, self.skipping = self.records + 1, True
            row = self._aside(self.records, offset, data[: damaged.LONGEST], "RECORD_TOO_LONG", "")
            return self._block({}, [], [], [], data, offset, [row], 1, [data[: damaged.LONGEST]]), len(data)
        return self._rows(data if whole == len(data) else data[:whole], offset, last=last)

    def _rows(self, data: bytes, offset: int, *, last: bool) -> tuple[TextBlock, int]:
        shape = self.shape
        found = lines.split(
            data,
            fields=shape.fields,
            delimiter=shape.delimiter[0],
            quote=shape.quote[0],
            utf8=shape.charset == "utf-8",
            header=self.header.line,
            end=self.end,
        )
        outcomes: list[damaged.Outcome] = []
        upto = len(found)
        if not bool((found.clean | found.blank).all()):
            for outcome in damaged.mend(data, found, shape, last_block=last):
                if isinstance(outcome, int):
                    upto = outcome
                else:
                    outcomes.append(outcome)
        used = int(found.starts[upto]) if upto < len(found) else len(data)
        columns = self._parse(_assemble(data, found, outcomes, upto), _count(found, outcomes, upto))
        if columns is None:  # a quote that looked well from afar: every line of the block is read by itself
            outcomes = damaged.judge_all(data, found, outcomes, upto, shape)
            columns = self._parse(_assemble(data, found, outcomes, upto), _count(found, outcomes, upto))
        if columns is None:
            raise Refused("the file cannot be cut into columns", where=self.member, code="ROW_RAGGED")
        return self._rows_of(columns, data, found, outcomes, upto, offset), used

    def _rows_of(
        self, columns: Texts, data: bytes, found: lines.Lines, outcomes: list[damaged.Outcome], upto: int, offset: int
    ) -> TextBlock:
        """Number the records, set the refused ones aside, and say of each row where it came from."""
        begins, row, nexts = ~found.blank[:upto], found.clean[:upto].copy(), found.nexts[:upto].copy()
        for outcome in outcomes:
            begins[outcome.first + 1 : outcome.last + 1] = False
            row[outcome.first : outcome.last + 1] = False
            row[outcome.first] = outcome.clean is not None
            nexts[outcome.first] = nexts[outcome.last]
            if outcome.warning:
                self.warnings[outcome.warning] += 1
        record, starts = self.records + np.cumsum(begins), found.starts[:upto]
        aside = [
            self._aside(int(record[o.first]), offset + int(starts[o.first]), data[starts[o.first] : nexts[o.first]], o.reason, o.detail)
            for o in outcomes
            if o.clean is None
        ]
        count = int(begins.sum())
        self.records += count
        chosen = np.flatnonzero(row)
        broken = [data[starts[o.first] : found.ends[o.last]] for o in outcomes if o.clean is None]
        return self._block(columns, record[chosen], offset + starts[chosen], (nexts - starts)[chosen], data, offset, aside, count, broken)

    def _parse(self, text: bytes, rows: int) -> Texts | None:
        """The columns that are read, as texts; None where Arrow's reader sees other rows than we do."""
        index = self.header.index
        if not rows:
            return {name: pa.array([], pa.string()) for name in index}
        if self.shape.charset != "utf-8":
            text = text.decode(self.shape.charset).encode()
        try:
            table = csv.read_csv(
                pa.py_buffer(text),
                read_options=csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=self.names),
                parse_options=csv.ParseOptions(
                    delimiter=self.profile.delimiter, quote_char=self.profile.quote, newlines_in_values=self.shape.quote in text
                ),
                convert_options=csv.ConvertOptions(
                    check_utf8=False,
                    column_types={str(at): pa.string() for at in index.values()},
                    include_columns=[str(at) for at in index.values()],
                    null_values=list(self.profile.nulls),
                    strings_can_be_null=True,
                ),
            )
        except pa.ArrowInvalid:
            return None
        if table.num_rows != rows:
            return None
        return {name: table.column(str(at)).combine_chunks() for name, at in index.items()}

    def _aside(self, record: int, offset: int, raw: bytes, reason: str, detail: str) -> dict[str, Any]:
        place = {"member": self.member, "record": record, "offset": offset, "length": len(raw)}
        return {**place, "reason": reason, "column": None, "detail": detail or None, "raw": bytes(raw)}

    def _block(
        self,
        columns: Texts,
        record: Any,
        offset: Any,
        length: Any,
        data: bytes,
        base: int,
        aside: list[dict[str, Any]],
        n: int,
        broken: Sequence[bytes] = (),
    ) -> TextBlock:
        record, offset, length = (np.asarray(part, np.int64) for part in (record, offset, length))
        if not columns:
            columns = {name: pa.array([], pa.string()) for name in self.header.index}
        warnings, self.warnings = self.warnings, Counter()

        def raw(row: int) -> bytes:
            start = int(offset[row]) - base
            return data[start : start + int(length[row])]

        return TextBlock(self.member, columns, record, offset, length, raw, aside, warnings, n, self._told(broken))

    def _told(self, broken: Sequence[bytes]) -> Texts:
        """What the columns of records that cannot be taken in say; what stands behind the damage may stand in the wrong column."""
        shape = self.shape
        told = [damaged.leading_fields(record, shape.delimiter, shape.quote) for record in broken]
        return {
            name: pa.array([_text(fields[at], shape.charset) if at < len(fields) else None for fields in told], pa.string())
            for name, at in self.header.index.items()
        }


def _text(field: bytes, charset: str) -> str | None:
    try:
        return field.decode(charset).replace("\0", "") or None
    except UnicodeDecodeError:
        return None


def _assemble(data: bytes, found: lines.Lines, outcomes: list[damaged.Outcome], upto: int) -> bytes:
    """The block with each damaged record left out, or its mended line in its place."""
    spans = [(int(found.starts[o.first]), int(found.nexts[o.last]), o.clean or b"") for o in outcomes]
    # Blanks or a Ctrl-Z alone on a line would be a row to Arrow's reader; those inside a damaged record go with it.
    noise = np.flatnonzero(found.blank[:upto] & (found.ends[:upto] > found.starts[:upto])).tolist()
    covered = {line for o in outcomes for line in range(o.first, o.last + 1)} if noise else set()
    spans += [(int(found.starts[line]), int(found.nexts[line]), b"") for line in noise if line not in covered]
    stop = int(found.starts[upto]) if upto < len(found) else len(data)
    if not spans:
        return data if stop == len(data) else data[:stop]
    parts, at = [], 0
    for first, after, instead in sorted(spans):
        parts += [data[at:first], instead]
        at = after
    parts.append(data[at:stop])
    return b"".join(parts)


def _count(found: lines.Lines, outcomes: list[damaged.Outcome], upto: int) -> int:
    """How many rows the assembled text must give."""
    taken = sum(int(found.clean[outcome.first : outcome.last + 1].sum()) for outcome in outcomes)
    return int(found.clean[:upto].sum()) - taken + sum(outcome.clean is not None for outcome in outcomes)
