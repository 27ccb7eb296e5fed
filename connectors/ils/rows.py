"""Blocks of texts into typed rows of an incoming table; what cannot be read is set aside with its bytes, and the rest goes on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.ils import columns as of
from connectors.ils import incoming, loans
from connectors.ils.convert import Cache, Typed, convert
from connectors.ils.library import Library
from connectors.ils.profile import Columns, Identifiers, Profile, TableProfile
from connectors.ils.texts import TextBlock
from connectors.ils.words import say
from include.engine.errors import Refused
from include.engine.inbound.connector import Read
from include.engine.quarantine.schema import SET_ASIDE

Bools = npt.NDArray[np.bool_]
BRANCHES = ("branch", "lending_branch", "returning_branch", "pickup_branch", "home_library")
#: Required columns that we can fill: no renewals, a home loan, not blocked, status unknown.
DEFAULTED = {"renewals", "kind", "agency", "status", "placeholder", "protected", "institution", "blocked", "deleted"}
EVENT_COLUMNS = {"event", "event_id", "happened_at"}
#: A column is held to have changed its type when, of at least so many values in a block, more than this share cannot be read.
CHANGED_FROM, CHANGED_SHARE = 20, 0.9


@dataclass(frozen=True)
class Target:
    """Which table the texts are for, and by which settings they are read."""

    table: str
    columns: Columns
    settings: TableProfile
    profile: Profile
    library: Library
    loans: loans.Loans = "history"
    identifiers: Identifiers | None = None


@dataclass
class _Trouble:
    """The first thing wrong with each row, and what else is."""

    reason: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    more: dict[int, list[str]] = field(default_factory=dict)

    def add(self, rows: Bools, reason: str, column: str, texts: pa.Array, sentence: Any) -> None:
        for row in np.flatnonzero(rows).tolist():
            if row in self.reason:
                self.more.setdefault(row, []).append(column)
            else:
                self.reason[row] = (reason, column, sentence(texts[row].as_py()))


def check_columns(target: Target, present: frozenset[str], where: str) -> Counter[str]:
    """COLUMN_ABSENT warnings for columns of ours that the file cannot fill; Refused (COLUMN_MISSING) if a row must have one of them."""
    warnings: Counter[str] = Counter()
    passed = set(target.settings.optional) | (set(target.identifiers.kinds.values()) if target.identifiers else set())
    if target.loans != "events":
        passed |= EVENT_COLUMNS
    for ours, alternatives in target.columns.items():
        if ours in passed or of.available(alternatives, present) or ours not in incoming.fields(target.table):
            continue
        names = " / ".join("+".join(column.source) for column in alternatives)
        if ours in incoming.required(target.table) - DEFAULTED:
            what = f"the column {names} is not in the file: it holds {ours}"
            raise Refused(what, where=where, code="COLUMN_MISSING", values={"column": names})
        warnings[f"COLUMN_ABSENT:{names}"] = 1
    return warnings


def typed(block: TextBlock, target: Target, *, where: str) -> Read:
    """Read the block's values. Raises Refused (TYPE_CHANGED) when a whole column cannot be read."""
    rows, trouble, warnings, cache = len(block), _Trouble(), Counter(block.warnings), Cache()
    theirs = {name: of.tidy(texts) for name, texts in block.columns.items()}
    texts: dict[str, Any] = {}
    layouts: dict[str, tuple[str, ...] | None] = {}
    for ours, alternatives in target.columns.items():
        if found := of.evaluate(alternatives, theirs, rows):
            texts[ours], layouts[ours] = found.texts, found.layouts
            if found.unknown is not None:
                source = of.evaluate(tuple(c.model_copy(update={"values": None}) for c in alternatives if c.source), theirs, rows)
                trouble.add(found.unknown, "VALUE_UNKNOWN", ours, (source or found).texts, _sentence("VALUE_UNKNOWN", target, ours, ()))
    if target.identifiers:
        pairs, _, strangers = of.identified(target.identifiers, theirs, rows)
        texts |= pairs
        if strangers:
            warnings["IDENTIFIER_UNKNOWN"] += strangers
    filtered = _by_table(texts, target, rows)
    columns: dict[str, pa.Array] = {}
    for ours, kind in incoming.fields(target.table).items():
        columns[ours] = _column(ours, kind, texts.get(ours), layouts.get(ours), target, rows, trouble, warnings, cache, where)
    _defaults(columns, target)
    return _read(block, target, columns, trouble, filtered, warnings)


def _column(
    ours: str,
    kind: pa.DataType,
    text: Any,
    layouts: tuple[str, ...] | None,
    target: Target,
    rows: int,
    trouble: _Trouble,
    warnings: Counter[str],
    cache: Cache,
    where: str,
) -> pa.Array:
    if text is None:
        return pa.nulls(rows, kind)
    if pa.types.is_list(kind):
        splits = [column.split for column in target.columns.get(ours, ()) if column.split]
        return text if pa.types.is_list(text.type) else of.lists(text, splits[0] if splits else None)
    found: Typed = convert(text, kind, target.settings, target.library.timezone, layouts, cache)
    warnings.update(found.warnings)
    if found.bad is not None and (count := int(found.bad.sum())):
        given = rows - text.null_count
        if given >= CHANGED_FROM and count > CHANGED_SHARE * given:
            what = f"{count} of {given} values of {ours} cannot be read: its type has changed"
            raise Refused(what, where=where, code="TYPE_CHANGED", values={"column": _theirs(target, ours)})
        expected = layouts or (target.settings.times if pa.types.is_timestamp(kind) else target.settings.dates)
        trouble.add(found.bad, found.reason, ours, text, _sentence(found.reason, target, ours, expected))
    return found.values


def _theirs(target: Target, ours: str) -> str:
    """What the library itself calls a column of ours, for words that it reads."""
    return " / ".join("+".join(column.source) for column in target.columns[ours] if column.source) or ours


def _sentence(reason: str, target: Target, column: str, layouts: tuple[str, ...]) -> Any:
    """How a value of this column is told of: shown if it is nobody's, else only its shape."""
    public = incoming.shown(target.table, column)
    return lambda value: say(reason, column=column, value=value, public=public, expected=", ".join(layouts))


def _by_table(texts: dict[str, Any], target: Target, rows: int) -> tuple[str, Bools] | None:
    """What depends on the table, before values are read; returns rows that are no rows of it, and why."""
    for name in BRANCHES:
        if name in texts and target.profile.branches:
            coded = texts[name].dictionary_encode()
            mapped = [target.profile.branches.get(branch, branch) for branch in coded.dictionary.to_pylist()]
            texts[name] = pa.array(mapped, pa.string()).take(coded.indices)
    if target.table == "patron":
        nobody = pc.is_in(texts["patron_id"], value_set=pa.array(target.profile.anonymous_patrons, pa.string()))
        return ("ANONYMOUS_PATRON", np.asarray(nobody)) if pc.any(nobody).as_py() else None
    loans.without_anonymous(texts, target.profile)
    if target.table != "loan":
        return None
    loans.with_event(texts, target.loans, rows)
    loans.with_kind(texts, target.profile, rows)
    other = pc.fill_null(pc.equal(texts["event"], loans.NO_EVENT), False)
    return ("NOT_A_LOAN_EVENT", np.asarray(other)) if pc.any(other).as_py() else None


def _defaults(columns: dict[str, pa.Array], target: Target) -> None:
    """Values that every row must have and that a file may leave to us."""
    if "agency" in columns:
        own = pc.if_else(columns["control_number"].is_valid(), target.library.isil, of.NOTHING)
        columns["agency"] = pc.coalesce(columns["agency"], own)
    for name in ("deleted", "placeholder", "protected", "institution", "blocked"):
        if name in columns:
            columns[name] = pc.fill_null(columns[name], False)
    if target.table == "loan":
        loans.finish(columns, target.loans)
    if target.table == "item":
        columns["status"] = pc.fill_null(columns["status"], "unknown")


def _read(
    block: TextBlock,
    target: Target,
    columns: dict[str, pa.Array],
    trouble: _Trouble,
    filtered: tuple[str, Bools] | None,
    warnings: Counter[str],
) -> Read:
    """Part the rows: good, set aside, filtered."""
    rows = len(block)
    source = [pa.repeat(pa.scalar(block.member), rows), pa.array(block.record), pa.array(block.offset), pa.array(block.length, pa.int32())]
    batch = pa.RecordBatch.from_arrays([*source, *columns.values()], schema=incoming.schema(target.table))
    left_out = filtered[1] if filtered else np.zeros(rows, np.bool_)
    aside = list(block.set_aside)
    bad = [row for row in sorted(trouble.reason) if not left_out[row]]
    for row in bad:
        reason, column, detail = trouble.reason[row]
        if row in trouble.more:
            detail += f" (also unreadable: {', '.join(trouble.more[row])})"
        place = {
            "member": block.member,
            "record": int(block.record[row]),
            "offset": int(block.offset[row]),
            "length": int(block.length[row]),
        }
        aside.append({**place, "reason": reason, "column": column, "detail": detail, "raw": block.raw(row)})
    good = batch
    if bad or filtered:
        keep = ~left_out
        keep[bad] = False
        good = batch.filter(pa.array(keep))
    aside.sort(key=lambda row: row["record"])
    counts = {filtered[0]: int(left_out.sum())} if filtered else {}
    table = pa.Table.from_pylist(aside, schema=SET_ASIDE)
    return Read(target.table, good, table, counts, dict(warnings), _known(batch, bad, block, target))


def _known(batch: pa.RecordBatch, bad: list[int], block: TextBlock, target: Target) -> pa.RecordBatch | None:
    """What the lake must not take for missing: rows that could be read but for a value, and the keys of those that could not be cut up."""
    parts = [batch.take(pa.array(bad, pa.int64()))] if bad else []
    if rows := len(block.set_aside):
        theirs = {name: of.tidy(texts) for name, texts in block.broken.items()}
        told = dict(of.identified(target.identifiers, theirs, rows)[0]) if target.identifiers else {}
        for name in incoming.contract(target.table).key:
            if found := of.evaluate(target.columns.get(name, ()), theirs, rows):
                told[name] = found.texts
        columns = [convert(told[one.name], one.type, target.settings, target.library.timezone).values if one.name in told
                   else pa.nulls(rows, one.type) for one in batch.schema]  # fmt: skip
        parts.append(pa.RecordBatch.from_arrays(columns, schema=batch.schema))
    return pa.concat_batches(parts) if parts else None
