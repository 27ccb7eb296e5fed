"""Bringing the index up to what is to be served: only files that it has not read are read, only rows that changed are composed.

Every step is done in small transactions and finds what earlier ones left: a run that dies is made up for by the next one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from connectors.oai_pmh.provider.batches import Batch, Known, known, write
from connectors.oai_pmh.provider.compose import COLUMNS, Rules, compose, local_id
from connectors.oai_pmh.provider.index import writing
from connectors.oai_pmh.provider.libraries import Catalogue, Library
from connectors.oai_pmh.provider.queries import Query
from connectors.oai_pmh.provider.settings import OaiProvider

CHUNK = 4000  # records a transaction: readers' promises wait for it a fraction of a second
_KEY = ("control_number", "agency", "_row_hash")


@dataclass
class Updated:
    """What an update did, in records. `unusable`: with MARC that could not be read, served as Dublin Core only."""

    changed: int = 0
    deleted: int = 0
    unusable: int = 0
    files: int = 0
    partners: list[str] = field(default_factory=list)


def update(
    connection: sqlite3.Connection, catalogue: Catalogue, queries: tuple[Query, ...], tick: Callable[[int], None] = lambda _: None
) -> Updated:
    """Make the index show the catalogue. `tick` is told of every chunk, in records read. One writer at a time: see follow.py.

    Raises FileNotFoundError when a file was vacuumed meanwhile: begin again with the newest catalogue.
    """
    done = Updated()
    libraries = {library.partner: library for library in catalogue.libraries}
    shown = {partner for (partner,) in connection.execute("SELECT DISTINCT partner FROM source")}
    for partner in sorted({*libraries, *shown} - catalogue.unsure):
        library = libraries.get(partner) or Library(partner, partner, OaiProvider(), (), _nothing)
        _library(connection, library, queries, done, tick)
    _sets(connection, libraries, queries)
    return done


def _library(
    connection: sqlite3.Connection, library: Library, queries: tuple[Query, ...], done: Updated, tick: Callable[[int], None]
) -> None:
    rules = Rules(library.partner, library.settings, queries)
    query = "SELECT path, id FROM source WHERE partner = ? AND print = ? AND done = 1"
    read = dict(connection.execute(query, (library.partner, rules.print)))
    todo = [file for file in library.files if file not in read]
    kept = {read[file] for file in library.files if file in read}
    if not todo and kept == {id for (id,) in connection.execute("SELECT id FROM source WHERE partner = ?", (library.partner,))}:
        return
    done.partners.append(library.partner)
    # What is on its way out was not read whole from here on: should it come back (settings that are put back), it is read again.
    connection.executemany(
        "UPDATE source SET done = 0 WHERE id = ?",
        [(id,) for (id,) in connection.execute("SELECT id FROM source WHERE partner = ?", (library.partner,)) if id not in kept],
    )
    for file in todo:
        kept.add(_file(connection, library, rules, file, done, tick))
        done.files += 1
    gone = [id for (id,) in connection.execute("SELECT id FROM source WHERE partner = ?", (library.partner,)) if id not in kept]
    for id in gone:
        done.deleted += _forget(connection, id)


def _file(connection: sqlite3.Connection, library: Library, rules: Rules, file: str, done: Updated, tick: Callable[[int], None]) -> int:
    named = (library.partner, file, rules.print)
    connection.execute("INSERT OR IGNORE INTO source (partner, path, print, done) VALUES (?, ?, ?, 0)", named)
    [(id,)] = connection.execute("SELECT id FROM source WHERE (partner, path, print) = (?, ?, ?)", named)
    salt = xxhash.xxh3_64_intdigest(rules.print.encode())
    fresh = list(_compared(connection, library, file, id, salt, tick))
    wanted = np.concatenate(fresh) if fresh else np.zeros(0, bool)
    if wanted.any():
        for rows in _chunks(_rows(library, file, wanted)):
            _take(connection, rows, rules, id, salt, done)
            tick(len(rows))
    connection.execute("UPDATE source SET done = 1 WHERE id = ?", (id,))
    return int(id)


def _compared(
    connection: sqlite3.Connection, library: Library, file: str, id: int, salt: int, tick: Callable[[int], None]
) -> Iterator[npt.NDArray[np.bool_]]:
    """For each batch of the file's rows which are not in the index as they are; the others are noted as being in this file now."""
    for batch in library.rows(file, _KEY):
        controls, agencies, hashes = (batch.column(name).to_pylist() for name in _KEY)
        locals_ = [local_id(library.partner, agency, number) for agency, number in zip(agencies, controls, strict=True)]
        found = known(connection, locals_)
        same: list[tuple[int | None, int, int]] = []
        flags = np.ones(len(locals_), bool)
        for at, (local, row_hash) in enumerate(zip(locals_, hashes, strict=True)):
            old = found.get(local)
            if old is not None and old.source is not None and old.row_hash == _salted(row_hash, salt):
                flags[at] = False
                if old.source != id:
                    same.append((id, old.row_hash, old.place))
        write(connection, Batch(same=same))
        tick(int((~flags).sum()))
        yield flags


def _rows(library: Library, file: str, wanted: npt.NDArray[np.bool_]) -> Iterator[dict[str, Any]]:
    start = 0
    for batch in library.rows(file, [*COLUMNS, "_row_hash"]):
        part = wanted[start : start + batch.num_rows]
        start += batch.num_rows
        if part.any():
            yield from batch.filter(part).to_pylist()


def _chunks(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


def _take(connection: sqlite3.Connection, rows: list[dict[str, Any]], rules: Rules, id: int, salt: int, done: Updated) -> None:
    batch = Batch()
    made = [(compose(row, rules), _salted(row["_row_hash"], salt)) for row in rows]
    found = known(connection, [one.local for one, _ in made])
    for one, row_hash in made:
        old = found.get(one.local)
        done.unusable += one.unusable
        if old is not None and bool(old.deleted) == one.deleted and old.content == one.content:
            batch.same.append((id, row_hash, old.place))
        else:
            batch.new.append((one, id, row_hash, old))
    done.changed += write(connection, batch)


def _forget(connection: sqlite3.Connection, id: int) -> int:
    """Records that only this file had become deleted; those that were deleted already stay as they are."""
    count = 0
    query = "SELECT place, local, shelf, deleted, source, row_hash, content FROM record WHERE source = ? LIMIT ?"
    while rows := [Known(*row) for row in connection.execute(query, (id, CHUNK))]:
        batch = Batch(gone=[row for row in rows if not row.deleted], same=[(None, row.row_hash, row.place) for row in rows if row.deleted])
        write(connection, batch)
        count += len(batch.gone)
    connection.execute("DELETE FROM source WHERE id = ?", (id,))
    return count


def _sets(connection: sqlite3.Connection, libraries: dict[str, Library], queries: tuple[Query, ...]) -> None:
    """The sets that there are, by name. A library that was withdrawn keeps its set: that is where its deletions are found."""
    listed = {spec for (spec,) in connection.execute("SELECT DISTINCT spec FROM listing")}
    names = {spec: spec.partition(":")[2].replace("_", " ") for spec in listed if spec.startswith(("library:", "material:"))}
    names |= {
        spec: name for (spec, name) in connection.execute("SELECT spec, name FROM setspec WHERE spec LIKE 'library:%'") if spec in names
    }
    names |= {f"library:{one.partner}": one.name for one in libraries.values()}
    names |= {f"query:{one.id}": one.name for one in queries}
    tops = {"library": "All libraries", "material": "All material types", "query": "All saved queries"}
    names |= {top: words for top, words in tops.items() if any(spec.startswith(f"{top}:") for spec in names)}
    if names == dict(connection.execute("SELECT spec, name FROM setspec")):
        return
    with writing(connection):
        connection.execute("DELETE FROM setspec")
        connection.executemany("INSERT INTO setspec VALUES (?, ?)", sorted(names.items()))


def _salted(row_hash: int, salt: int) -> int:
    """The row's hash and the settings' as one signed 64-bit number."""
    return ((row_hash ^ salt) & (1 << 64) - 1) - (1 << 63)


def _nothing(file: str, columns: Any) -> Iterator[Any]:
    raise FileNotFoundError(file)
