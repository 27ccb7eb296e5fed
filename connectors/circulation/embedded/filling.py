"""A new store beside the one in use: out of a fill, what only the sidecar knows, and what kiosks have done since. Then one changes over.

The fill is what the lake has. Of the old store stay the PINs, what was done before (so that it is not done twice), what staff must look at,
and whole tables of which the library system never told. Then the journal's entries come on top:

- after `until`: everything, for the lake does not know it yet;
- up to `until`: loans are in the lake; holds, payments, blocks and notes are not, and count while they are younger than what the library
  system has told of holds, fees, patrons and items.

An entry's rows are those of the store it was decided on. Only what the entry was about is taken of them: a name or a title is the fill's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from connectors.circulation.embedded.direct import Row
from connectors.circulation.embedded.fillfile import Fill
from connectors.circulation.embedded.store import Store
from connectors.circulation.journal import before, identity, read
from include.engine.crypto.keys import KeyStore
from include.engine.errors import Held, Refused

MOST_LOST = 0.5
"""Share of the patrons or items that may vanish with a fill; above it nobody has meant it."""
_KEPT = ("returned", "filled", "done", "conflict")
_OF_ITEM = ("status", "hold", "location", "properties")
_A_BATCH = 2000


def build(fill: Fill, folder: Path, keys: KeyStore, store: Store) -> tuple[Store, Counter[str]]:
    """The store's successor, committed; and how many rows of what are in it. Its `applied` is the last entry that is in it.

    For a thread of its own: of `store` only what is committed is read. Refused for a fill of another journal or without people, Held for one
    that lacks most of what there is.
    """
    if fill.journal != identity(folder / "journal"):
        raise Refused("the fill was made beside another journal than the sidecar's.", code="FILL_OTHER_JOURNAL")
    old, made = store.reader(), store.successor()
    try:
        counts = _rows(fill, made)
        _not_too_few(counts, old)
        _keep(fill, old, made)
        applied = old.applied
        for number, entry in read(folder / "journal", keys, after=before(folder / "journal")):
            again(made, fill, number, entry, known=number <= applied)
            made.applied = number
        made.applied = max(made.applied, applied)
        made.commit()
    except BaseException:
        made.close()
        raise
    finally:
        old.close()
    return made, counts


def _rows(fill: Fill, made: Store) -> Counter[str]:
    counts: Counter[str] = Counter()
    for kind, rows in groupby(fill.rows, key=lambda row: str(row["kind"])):
        counts[kind] += made.fill(kind, (_row(kind, row) for row in rows))
    return counts


def _row(kind: str, row: Row) -> Row:
    """A row of the fill as the store has it; what is not said has the table's default."""
    key = str(row["key"])
    if kind == "patron":
        days = {name: row[name].isoformat() if row[name] else None for name in ("valid_until", "birth_date")}
        plain = ("name", "category", "home_library", "municipality", "block", "address", "email", "phone")
        return {"patron": key} | {name: row[name] or "" for name in plain} | days
    if kind == "card":
        return {"card": key, "patron": row["patron_id"]}
    if kind == "item":
        plain = ("title_id", "title", "status", "material", "owner", "location", "call_number", "hold")
        return {"item": key} | {name: row[name] or "" for name in plain}
    if kind == "loan":
        return {"item": key, "patron": row["patron_id"], "loaned_at": _seconds(row["loaned_at"]), "due": _seconds(row["due"]),
                "renewals": row["renewals"] or 0}  # fmt: skip
    if kind == "hold":
        return {"hold": key, "patron": row["patron_id"], "title_id": row["title_id"] or "", "item": row["item"] or "",
                "pickup": row["pickup"] or "", "placed": _seconds(row["placed"]),
                "expires": _seconds(row["expires"]) if row["expires"] else None, "ready": int(bool(row["ready"]))}  # fmt: skip
    return {"fee": key, "patron": row["patron_id"], "kind": row["fee_kind"] or "other", "outstanding": int(row["outstanding"].scaleb(2))}


def _not_too_few(counts: Counter[str], old: Store) -> None:
    for kind in ("patron", "item"):
        there = old.count(kind)
        if not counts[kind] or counts[kind] < there * (1 - MOST_LOST):
            raise Held(f"the fill has {counts[kind]:,} rows of {kind}, the store {there:,}.", code="FILL_TOO_SMALL")


def _keep(fill: Fill, old: Store, made: Store) -> None:
    for table in (*_KEPT, *(kind for kind in ("hold", "fee") if fill.told.get(kind) is None)):
        for batch in _batches(old.rows(table)):
            made.fill(table, batch)
    for row in old.rows("patron"):
        if row["pin"] is not None or row["language"]:
            made.amend("patron", row["patron"], {"pin": row["pin"], "language": row["language"]})


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _A_BATCH:
            yield batch
            batch = []
    yield batch


def again(made: Store, fill: Fill, number: int, entry: dict[str, Any], *, known: bool) -> None:
    """Make an entry's changes in the new store, as far as they count there. `known`: the old store had it, with what it remembers of it."""
    late, at = number > fill.until, datetime.fromisoformat(entry["at"]).timestamp()

    def counts(kind: str) -> bool:
        told = fill.told.get(kind)
        return late or (at >= told if told is not None else not known)  # of what was never told the old store's rows are here

    for change, value in entry["changes"]:
        table = change.removeprefix("-")
        if table in ("loan", "returned", "filled"):
            if late:
                made.apply([[change, value]])
        elif table == "done":
            if not known:
                made.apply([[change, value]])
        elif table == "item":
            if late:
                _amend_item(made, value, _OF_ITEM)
            elif entry["kind"] == "note" and counts("item"):
                _amend_item(made, value, ("properties",))
        elif table == "patron" and entry["kind"] == "enrol":
            if late:
                made.apply([[change, value]])
        elif table == "patron":
            kind = entry["kind"]  # the old store's PINs are here: one that came past the journal (`load`) is not older than those in it
            if (kind == "pin" and not known) or (kind == "block" and counts("patron")):
                made.amend("patron", value["patron"], {kind: value[kind]})
        elif counts(table):
            _amend(made, table, change, value)
    if entry.get("conflict") and not known:
        made.note_conflict(number, entry)


def _amend_item(made: Store, row: Row, names: tuple[str, ...]) -> None:
    if made.get("item", row["item"]) is None:
        made.apply([["item", row]])
    else:
        made.amend("item", row["item"], {name: row[name] for name in names})


def _amend(made: Store, table: str, change: str, value: Any) -> None:
    """Holds and fees: one that the library system has under a number of its own, or has settled, is not put a second time."""
    if change.startswith("-"):
        made.apply([[change, value]])
    elif table == "hold":
        others = [one for one in made.queue(value["title_id"]) if one["patron"] == value["patron"] and one["hold"] != value["hold"]]
        if not others:
            made.apply([[change, value]])
    elif table == "fee":
        there = made.get("fee", value["fee"])
        if there is not None:
            made.amend("fee", value["fee"], {"outstanding": min(there["outstanding"], value["outstanding"])})
    else:
        made.apply([[change, value]])


def _seconds(moment: datetime) -> int:
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
