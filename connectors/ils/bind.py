"""Incoming rows into lake rows: patrons become pseudonyms, cards and merged patrons aliases, unknown items and patrons placeholders.

Plain functions over Arrow tables: what they must know of the lake comes through `BindContext.lookup`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.engine.contract.arrow import arrow_schema
from include.engine.contract.loading import load
from include.engine.inbound.connector import Bound
from include.engine.loan_names import TABLE as LOAN_ALIAS
from include.engine.loan_names import Find, Names, renamed, told_by_kiosks
from include.engine.privacy.people import Aliases, People, people
from include.engine.privacy.pseudonym import Pseudonyms

ADULT = 18
SOURCE = ("_member", "_record", "_offset", "_length")
Columns = Mapping[str, Any]


@dataclass
class BindContext:
    """What binding a delivery needs, and remembers from batch to batch: use one for a whole delivery.

    pseudonyms: of this partner, for the purpose `lake`. lookup(table, columns): the partner's rows of a lake table as they are before the
    delivery, an empty table where there is none. today: the day of receipt on the partner's calendar (it decides who is a minor).
    find: the same with a condition; without it no loan is looked for that a kiosk has told of before.
    """

    partner: str
    pseudonyms: Pseudonyms
    lookup: Callable[[str, list[str]], pa.Table]
    today: date
    find: Find | None = None
    _kept: dict[str, Any] = field(default_factory=dict, repr=False)

    def aliases(self) -> Aliases:
        """The partner's aliases, looked up once."""
        if "aliases" not in self._kept:
            self._kept["aliases"] = Aliases.of(self.lookup("patron_alias", ["alias", "patron"]))
        found: Aliases = self._kept["aliases"]
        return found

    def loan_names(self) -> Names:
        """By which number the lake knows a loan that a kiosk has told of before; looked up once."""
        if "names" not in self._kept:
            self._kept["names"] = told_by_kiosks(self.find, self.lookup) if self.find else Names({})
        found: Names = self._kept["names"]
        return found

    def items_by_barcode(self) -> pa.Table:
        """`barcode`, `item_id` of the items that have both, looked up once."""
        if "barcodes" not in self._kept:
            items = self.lookup("item", ["item_id", "barcode"])
            self._kept["barcodes"] = items.filter(pc.is_valid(items.column("barcode")))
        return self._kept["barcodes"]

    def strangers(self, table: str, key: str, values: pa.Array) -> pa.Array:
        """Row numbers at which a key first appears that the lake's `table` does not have and this delivery has not brought either."""
        if table not in self._kept:
            self._kept[table] = self.lookup(table, [key]).column(key).combine_chunks().cast(pa.string())
        coded = values.dictionary_encode()
        unknown = pc.invert(pc.is_in(coded.dictionary, value_set=self._kept[table]))
        if not pc.any(unknown).as_py():
            return pa.array([], pa.int64())
        self._kept[table] = pa.concat_arrays([self._kept[table], coded.dictionary.filter(unknown)])
        # Codes are given in the order in which values first appear: one stands first where the codes reach a new height.
        height = np.maximum.accumulate(pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False))
        first = np.flatnonzero(np.diff(height, prepend=-1))
        return pa.array(first[np.asarray(unknown)])


def bind(table: str, rows: pa.RecordBatch, context: BindContext) -> list[Bound]:
    """The lake rows of a batch of incoming rows of `table`, the table's own first."""
    if table == "patron":
        return _patrons(rows, context)
    if table in ("loan", "hold", "fee"):
        return _about_people(table, rows, context)
    return [Bound(table, _lake(table, rows, context, {}))]


def _lake(table: str, rows: pa.RecordBatch, context: BindContext, made: Columns, at: pa.Array | None = None) -> pa.Table:
    """Rows with the columns of the lake's contract: those in `made`, else those that came in, else null. `at` picks source rows."""
    source = rows if at is None else rows.take(at)
    columns = {name: source.column(name) for name in SOURCE}
    given = set(rows.schema.names) if at is None else set()
    for column in arrow_schema(load(table)):
        if column.name == "partner":
            columns["partner"] = pa.repeat(pa.scalar(context.partner), source.num_rows)
        elif column.name in made:
            value = made[column.name]
            value = value if isinstance(value, pa.Array | pa.ChunkedArray) else pa.repeat(pa.scalar(value, column.type), source.num_rows)
            columns[column.name] = value.cast(column.type)
        elif column.name in given:
            columns[column.name] = source.column(column.name).cast(column.type)
        else:
            columns[column.name] = pa.nulls(source.num_rows, column.type)
    return pa.table(columns)


def _patrons(rows: pa.RecordBatch, context: BindContext) -> list[Bound]:
    """The patron as a pseudonym, the one table that says who it is, and the aliases."""
    pseudonyms = context.pseudonyms
    patron = pseudonyms.of(rows.column("patron_id"))
    merged_into = pseudonyms.of(rows.column("merged_into"))
    born = rows.column("birth_date")
    own = {"patron": patron, "key_id": pseudonyms.key_id}
    made = own | {
        "birth_year": pc.year(born).cast(pa.int16()),
        "minor": pc.fill_null(pc.greater(born, pa.scalar(_years_before(context.today, ADULT), pa.date32())), False),
        "merged_into": merged_into,
        "placeholder": False,
    }
    bound = [
        Bound("patron", _lake("patron", rows, context, made)),
        Bound("patron_identity", _lake("patron_identity", rows, context, own)),
    ]
    aliases = _aliases(rows, patron, merged_into, context)
    return [*bound, Bound("patron_alias", aliases)] if aliases.num_rows else bound


def _years_before(day: date, years: int) -> date:
    """The same day so many years ago; 28 February stands for a 29th that was not."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)


def _aliases(rows: pa.RecordBatch, patron: pa.Array, merged_into: pa.Array, context: BindContext) -> pa.Table:
    """A row for each card of each patron, and one for each patron that was merged into another."""
    cards = rows.column("card_numbers")
    holder = pc.list_parent_indices(cards).cast(pa.int64())
    alias = context.pseudonyms.of(pc.list_flatten(cards), "card")
    by_card = {"alias": alias, "patron": patron.take(holder), "kind": pa.repeat(pa.scalar("card"), len(alias))}
    gone = pa.array(np.flatnonzero(np.asarray(merged_into.is_valid())))
    merged = {"alias": patron.take(gone), "patron": merged_into.take(gone), "kind": pa.repeat(pa.scalar("merged"), len(gone))}
    at = pa.concat_arrays([holder, gone.cast(pa.int64())])
    made = {name: pa.concat_arrays([by_card[name], merged[name]]) for name in by_card}
    table = _lake("patron_alias", rows, context, made, at)
    pairs = pc.binary_join_element_wise(made["alias"], made["patron"], " ").dictionary_encode()
    _, first = np.unique(np.asarray(pairs.indices), return_index=True)
    return table.take(pa.array(np.sort(first)))


def _about_people(table: str, rows: pa.RecordBatch, context: BindContext) -> list[Bound]:
    """Loans, holds and fees: who and what they name, and placeholders for those that the lake does not know yet."""
    who = people(rows.column("patron_id"), rows.column("card_number"), context.pseudonyms, context.aliases())
    item = _items(rows, context)
    made = {"patron": who.patron, "patron_is_alias": who.is_alias, "key_id": who.key_id, "item_id": item}
    warnings = Counter({"CARD_UNRESOLVED": who.unresolved}) if who.unresolved else Counter()
    met = []
    if table == "loan":
        names = context.loan_names()
        made["loan_id"], made["event_id"], at = renamed(rows, who.patron, item, names)
        met = [Bound(LOAN_ALIAS, _met(rows, names, at, context))] if at else []
    bound = [Bound(table, _lake(table, rows, context, made), dict(warnings)), *met]
    return bound + [found for found in (_new_items(rows, item, context), _new_patrons(rows, who, context)) if found is not None]


def _met(rows: pa.RecordBatch, names: Names, at: list[int], context: BindContext) -> pa.Table:
    """The loans of this batch that the lake knows under another number."""
    new = names.new[-len(at) :]
    made = {name: pa.array([one[name] for one in new], pa.string()) for name in new[0]}
    return _lake(LOAN_ALIAS, rows, context, made, pa.array(at, pa.int64()))


def _items(rows: pa.RecordBatch, context: BindContext) -> pa.Array:
    """The item of each row: its id, or that of the item with its barcode."""
    item = rows.column("item_id")
    if "barcode" not in rows.schema.names or not item.null_count:
        return item
    barcode = rows.column("barcode")
    if not pc.any(pc.and_(item.is_null(), barcode.is_valid())).as_py():
        return item
    known = context.items_by_barcode()
    if not known.num_rows:
        return item
    found = pc.index_in(barcode, value_set=known.column("barcode").combine_chunks())
    return pc.coalesce(item, known.column("item_id").combine_chunks().take(found))


def _new_items(rows: pa.RecordBatch, item: pa.Array, context: BindContext) -> Bound | None:
    """A placeholder for each item that nobody has told of: its id, and that all else is unknown. A later item file completes it."""
    at = context.strangers("item", "item_id", item)
    if not len(at):
        return None
    made = {"item_id": item.take(at), "status": "unknown", "placeholder": True}
    return Bound("item", _lake("item", rows, context, made, at))


def _new_patrons(rows: pa.RecordBatch, who: People, context: BindContext) -> Bound | None:
    """A placeholder for each patron that nobody has told of. An unresolved card is no patron."""
    named = pc.if_else(who.is_alias, pa.scalar(None, pa.string()), who.patron)
    at = context.strangers("patron", "patron", named)
    if not len(at):
        return None
    no = dict.fromkeys(("institution", "minor", "protected", "blocked", "deleted"), False)
    made = {"patron": named.take(at), "key_id": context.pseudonyms.key_id, "placeholder": True, **no}
    return Bound("patron", _lake("patron", rows, context, made, at))
