"""What `python -m include.marc` does, a function for each command; each returns the exit status."""

from __future__ import annotations

import csv
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from include.marc import iso2709, mapping, marcxml, parquet
from include.marc.batch import LEADER, Batch
from include.marc.charsets import NAMES
from include.marc.compare import compare
from include.marc.mapping import ColumnMapping
from include.marc.progress import Counted, shown
from include.marc.source import is_xml, opened
from include.marc.told import Told, words
from include.marc.write import Written, line
from include.marc.write import iso2709 as to_iso
from include.marc.write import marcxml as to_xml

#: Exit status: all well; done, but something is to be looked at; not done.
WELL, LOOK, FAILED = 0, 1, 2


@contextmanager
def reading(asked: Namespace, told: Told, fields: frozenset[str] | None = None) -> Iterator[Iterator[Batch]]:
    """The batches of the file that was asked for, counted in `told`, with a progress bar; what is set aside goes where that was asked."""
    with ExitStack() as stack:
        file = stack.enter_context(Counted(asked.file))
        tell = stack.enter_context(shown(asked.file.name, quiet=asked.quiet))
        aside = stack.enter_context(asked.set_aside.open("wb")) if asked.set_aside else None
        yield told.over(file.over(_batches(file, asked, fields), tell), aside)


def _batches(file: Counted, asked: Namespace, fields: frozenset[str] | None) -> Iterator[Batch]:
    with opened(cast(BinaryIO, file)) as members:
        for member in members:
            if is_xml(member.stream):
                yield from marcxml.scan(member.stream, family=asked.format, fields=fields, where=asked.file.name)
            else:
                yield from iso2709.scan(
                    member.stream,
                    family=asked.format,
                    charset=asked.charset,
                    fields=fields,
                    undecodable="replace" if asked.replace else "set_aside",
                )


def to_parquet(asked: Namespace) -> int:
    """Long, or wide by a mapping."""
    told = Told()
    columns = _mapping(asked.wide) if asked.wide else None
    with reading(asked, told, columns.tags if columns else None) as batches:
        written = parquet.write_wide(batches, asked.out, columns) if columns else parquet.write_long(batches, asked.out)
    say(f"{written.rows:>12,} rows written to {asked.out}")
    return _ended(told)


def _mapping(name: str) -> ColumnMapping:
    """One of ours by its name, or a file."""
    path = Path(name)
    return mapping.load(path.stem, path.parent) if path.suffix else mapping.load(name)


def to_marcxml(asked: Namespace) -> int:
    """MARCXML or MarcXchange."""
    form: to_xml.Form = "marcxchange" if asked.marcxchange else "marcxml"
    return _converted(asked, lambda batches, out: to_xml.write(batches, out, form=form, family=asked.format))


def to_iso2709(asked: Namespace) -> int:
    """ISO 2709."""
    return _converted(asked, lambda batches, out: to_iso.write(batches, out, charset=asked.write_charset, family=asked.format))


def to_line(asked: Namespace) -> int:
    """Lines for people."""
    return _converted(asked, lambda batches, out: line.write(batches, out, family=asked.format))


def _converted(asked: Namespace, write: Callable[[Iterator[Batch], BinaryIO], Written]) -> int:
    told = Told()
    with reading(asked, told) as batches, _output(asked.out) as out:
        written = write(batches, out)
    if asked.out:
        say(f"{written.records:>12,} records written to {asked.out}")
    for code, count in Counter(code for _, code, _ in written.problems).most_common():
        say(f"{count:>12,} not written as they are: {words(code)}")
    return max(_ended(told), LOOK if written.problems else WELL)


@contextmanager
def _output(path: Path | None) -> Iterator[BinaryIO]:
    """The standard output, or a file that gets its name when it is whole."""
    if path is None:
        yield sys.stdout.buffer
        return
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def stats(asked: Namespace) -> int:
    """Fields and character sets, counted."""
    told, fields, records = Told(), Counter[str](), Counter[str]()
    sets: Counter[str] = Counter()
    with reading(asked, told) as batches:
        for batch in batches:
            begins = np.ones(batch.rows, np.bool_)
            begins[1:] = (batch.seq[1:] != batch.seq[:-1]) | (batch.rec[1:] != batch.rec[:-1])
            tags, each = np.unique(batch.tag[begins], return_counts=True)
            fields.update({batch.tags.names[tag]: int(count) for tag, count in zip(tags, each, strict=True)})
            of_record = np.unique(batch.rec[begins].astype(np.int64) << 16 | batch.tag[begins])
            tags, each = np.unique(of_record & 0xFFFF, return_counts=True)
            records.update({batch.tags.names[tag]: int(count) for tag, count in zip(tags, each, strict=True)})
            sets.update({NAMES[number]: int((batch.charset == number).sum()) for number in np.unique(batch.charset)})
    for text in told.lines():
        print(text)
    for name, count in sets.most_common():
        print(f"{count:>12,} in {name}")
    print(f"\n{'field':<8}{'records':>12}{'fields':>12}")
    for tag in sorted(fields, key=lambda tag: (tag != LEADER, tag)):
        print(f"{tag:<8}{records[tag]:>12,}{fields[tag]:>12,}")
    return LOOK if told.damaged else WELL


def check(asked: Namespace) -> int:
    """Every record that is not clean."""
    told = Told(keep=sys.maxsize if asked.table else asked.limit)
    with reading(asked, told) as batches:
        for _ in batches:
            pass
    for problem in told.problems[: asked.limit]:
        print(problem)
    if asked.table:
        with asked.table.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["record", "byte", "outcome", "reason", "detail"])
            table.writerows([one.record, one.offset, one.outcome, one.reason, one.detail or ""] for one in told.problems)
    for text in told.lines():
        print(text)
    return WELL if told.clean == told.records and not told.damaged else LOOK


def diff(asked: Namespace) -> int:
    """Two exports."""
    with shown("both files", quiet=asked.quiet) as tell:
        found = compare(asked.file, asked.new, family=asked.format, charset=asked.charset, ignored=asked.ignore, tell=tell)
    tables = (("+", found.added), ("-", found.deleted), ("~", found.changed))
    if asked.table:
        with asked.table.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["change", "agency", "control_number", "record", "fields"])
            for sign, rows in tables:
                for row in rows.to_pylist():
                    table.writerow([sign, row["agency"], row["control_number"], row["record"], " ".join(row.get("fields", ()))])
    for sign, rows in tables:
        for row in rows.slice(0, asked.limit).to_pylist():
            print(sign, " ".join(part for part in (row["agency"], row["control_number"], *row.get("fields", ())) if part))
        if rows.num_rows > asked.limit:
            print(f"{sign} and {rows.num_rows - asked.limit:,} more")
    counts = ((found.added.num_rows, "added"), (found.deleted.num_rows, "deleted"), (found.changed.num_rows, "changed"))
    for count, what in (*counts, (found.unchanged, f"unchanged, {found.rewritten:,} of them written anew")):
        say(f"{count:>12,} {what}")
    if found.twice:
        say(f"{found.twice:>12,} have a number that another record of their file has, too")
    if found.aside_old or found.aside_new:
        say(f"{found.aside_old + found.aside_new:>12,} could not be read: `check` says why")
    return WELL if found.unchanged and not any(count for count, _ in counts) else LOOK


def say(text: str) -> None:
    """To the person, not into the output."""
    print(text, file=sys.stderr)


def _ended(told: Told) -> int:
    for text in told.lines():
        say(text)
    return LOOK if told.damaged else WELL
