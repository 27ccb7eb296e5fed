"""What a held sync would change, for the person who is to approve it: which fields of how many records, and from what to what.

What was confirmed last is not kept a second time: it is read from the lake as it was at the last sync that went, for as long as the lake's
history reaches back. docs/decisions/crm-what-a-person-approves.md
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from connectors.crm.delta import Delta
from connectors.crm.mapping import REFERENCES
from connectors.crm.people import REASONS, Source, sources, these, wanted
from connectors.crm.sync_settings import CONTRACT, CrmSync, Kind
from include.engine.contract.loading import load
from include.engine.errors import WrongState
from include.engine.lake.rows import session
from include.engine.outbound.connector import Work
from include.engine.outbound.settled import last_whole

EXAMPLES, AT_ONCE, LONGEST = 3, 250_000, 40
SHOWN_FROM = 5
"""Records that a change of a value has to happen to before the values are shown: fewer would tell of a person."""


@dataclass
class Changed:
    """One of their fields: how many records, and (from, to) by how often."""

    records: int = 0
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass
class Fields:
    """What is told of one kind. `mapping`: records that differ in nothing but the partner's YAML; `untold`: of which nothing is known before."""

    by_column: dict[str, Changed] = field(default_factory=dict)
    mapping: int = 0
    untold: int = 0


def shown(work: Work, flow: CrmSync, found: Delta) -> dict[str, Any]:
    """The diff as plain JSON, without a value that says who somebody is: `counts`, `removed` (kind: reason: records), `fields` (kind: list of
    field, column, records, pairs of [from, to, records]), `mapping` and `untold` (kind: records)."""
    fields = {kind: one for source in sources(flow) for kind, one in _source(work, flow, source, found.of("change")).items()}
    return {
        "counts": found.counts(),
        "removed": _removed(found.of("remove")),
        "fields": {kind: list(_told(flow, kind, one)) for kind, one in fields.items()},
        "mapping": {kind: one.mapping for kind, one in fields.items() if one.mapping},
        "untold": {kind: one.untold for kind, one in fields.items() if one.untold},
    }


def _removed(due: pa.Table) -> dict[str, dict[str, int]]:
    told: dict[str, dict[str, int]] = {}
    for row in due.group_by(["kind", "why"]).aggregate([([], "count_all")]).to_pylist():
        told.setdefault(row["kind"], {})[REASONS[row["why"]]] = row["count_all"]
    return told


def _source(work: Work, flow: CrmSync, source: Source, due: pa.Table) -> dict[Kind, Fields]:
    kinds = [kind for kind in source.kinds if kind in flow.objects]
    mine = due.filter(pc.is_in(due.column("kind"), value_set=pa.array(kinds, pa.string()))).select(["kind", "own"])
    told = {kind: Fields() for kind in kinds if pc.sum(pc.equal(mine.column("kind"), kind)).as_py()}
    columns = wanted(flow, source)
    for start in range(0, mine.num_rows, AT_ONCE):
        some = mine.slice(start, AT_ONCE)
        try:
            before = _rows(_as_it_was(work), flow, source, columns, some)
        except (_NoneBefore, WrongState, OSError, duckdb.Error):
            for kind, one in told.items():
                one.untold += pc.sum(pc.equal(some.column("kind"), kind)).as_py() or 0
            continue
        _compare(before, _rows(work, flow, source, columns, some), columns, told)
    return told


class _NoneBefore(Exception):
    """No sync has gone yet."""


def _as_it_was(work: Work) -> Work:
    """The lake that the last sync which went was selected from, by today's settings and on that day."""
    view = work.lake
    last = last_whole(view.engine, view.partner, view.flow)
    if last is None:
        raise _NoneBefore
    return replace(work, lake=replace(view, pins=dict(last.facts["pins"])))


def _rows(work: Work, flow: CrmSync, source: Source, columns: set[str], due: pa.Table) -> pa.Table:
    with work.lake.connect() as connection:
        batches = list(these(work, flow, source, columns, due, connection))
    return pa.Table.from_batches(batches) if batches else due.slice(0, 0)


def _compare(before: pa.Table, now: pa.Table, columns: set[str], told: Mapping[Kind, Fields]) -> None:
    names = [name for name in sorted(columns) if name in now.column_names and name in before.column_names]
    classes = {column.name: column.classification for column in load(CONTRACT).columns}
    differs = " OR ".join(f'b."{name}" IS DISTINCT FROM n."{name}"' for name in names) or "false"
    joined = "now n LEFT JOIN before b ON b.kind = n.kind AND b.own = n.own"
    with session() as connection:
        connection.register("before", before)
        connection.register("now", now)
        totals = f"""SELECT n.kind, count(*) FILTER (b.own IS NULL), count(*) FILTER (b.own IS NOT NULL AND NOT ({differs}))
            FROM {joined} GROUP BY 1"""  # noqa: S608 - names of the contract's columns
        for kind, untold, mapping in connection.sql(totals).fetchall():
            told[kind].untold += untold
            told[kind].mapping += mapping
        for name in names:
            was, became = (_look(f'{side}."{name}"', name, classes[name]) for side in "bn")
            pairs = f"""SELECT n.kind, {was}, {became}, count(*) FROM {joined}
                WHERE b.own IS NOT NULL AND b."{name}" IS DISTINCT FROM n."{name}" GROUP BY ALL ORDER BY 4 DESC"""  # noqa: S608
            for kind, old, new, count in connection.sql(pairs).fetchall():
                one = told[kind].by_column.setdefault(name, Changed())
                one.records += count
                one.pairs[old, new] += count


def _look(value: str, name: str, classification: str) -> str:
    """SQL: a value as it may be shown; a text that names somebody as the sort of signs in it, without how many there are."""
    if name in REFERENCES:
        return f"CASE WHEN {value} IS NULL THEN '' ELSE '(a patron)' END"
    text = f"CAST({value} AS VARCHAR)"
    if classification == "identity":
        text = rf"regexp_replace(regexp_replace({text}, '\p{{L}}+', 'x', 'g'), '\p{{N}}+', '#', 'g')"
    return f"coalesce(left({text}, {LONGEST}), '')"


def _told(flow: CrmSync, kind: Kind, found: Fields) -> Iterator[dict[str, Any]]:
    """Their fields, those of most records first."""
    classes = {column.name: column.classification for column in load(CONTRACT).columns}
    their = flow.objects[kind].fields
    linked = flow.columns(kind) - set(their.values())
    for column, one in sorted(found.by_column.items(), key=lambda pair: (-pair[1].records, pair[0])):
        named = [theirs for theirs, ours in their.items() if ours == column or (ours == "deep_link" and column in linked)]
        hidden = classes[column] == "personal" and column not in REFERENCES
        pairs = [[*pair, count] for pair, count in one.pairs.most_common() if not hidden or count >= SHOWN_FROM][:EXAMPLES]
        yield {"field": ", ".join(named) or column, "column": column, "records": one.records, "pairs": pairs}
