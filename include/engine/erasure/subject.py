"""Who is to be erased: every pseudonym and number under which Bindery knows one person.

Cards come and go and records are merged: one person may have several pseudonyms. They are followed through the aliases and mergers of the
lake, in its older versions too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from include.engine.crypto.keys import KeyStore
from include.engine.erasure.needles import Needles, needles
from include.engine.lake.store import LOG
from include.engine.lake.table import PARTITION, Lake, exists, plain_name, store_of
from include.engine.privacy.pseudonym import Pseudonyms

IDENTITY = ("patron", "patron_id", "card_numbers", "national_id", "name", "email", "phone", "address", "merged_into")
CONTACTS = ("email", "phone")
PROSPECT = ("prospect_id", "first_name", "last_name", *CONTACTS)
_HOPS = 8  # cards and merges of merges; ends a circle


@dataclass(frozen=True)
class Subject:
    """One person at one partner. `ids` and `cards` are the ILS's own; the rest of what names them is in `needles`. Never shown."""

    partner: str
    pseudonyms: frozenset[str]
    ids: frozenset[str] = field(repr=False)
    cards: frozenset[str] = field(repr=False)
    needles: Needles = field(repr=False)
    prospects: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def known(self) -> bool:
        """Whether there is any number by which kept bytes can be searched for this person."""
        return bool(self.ids or self.cards or self.prospects)


def gather(
    lake: Lake,
    keys: KeyStore,
    partner: str,
    *,
    pseudonyms: Iterable[str] = (),
    ids: Iterable[str] = (),
    cards: Iterable[str] = (),
    prospects: Iterable[str] = (),
) -> Subject:
    """Everything under which the person is known who has one of these pseudonyms, patron ids, card numbers or numbers of a prospect.

    A patron is also the prospect with the same e-mail address or telephone number. A prospect is not the patron who has it: a family may
    share one, and a prospect's row is a note about a person where a patron's is the person.
    """
    names = Pseudonyms(keys, partner, "lake")
    known, own, card = set(pseudonyms), set(ids), set(cards)
    hops = _links(lake, partner)
    identity = _identities(lake, partner)
    person = _rows_of(identity, set())
    for _ in range(_HOPS):
        before = (len(known), len(own), len(card))
        known |= {names.one(one) for one in own} | {names.one(one, kind) for one in card for kind in ("card", "patron")}
        known |= {b if a in known else a for a, b in hops if a in known or b in known}
        person = _rows_of(identity, known)
        own |= {one for one in person["patron_id"].to_pylist() + person["merged_into"].to_pylist() if one}
        card |= {one for cards_of in person["card_numbers"].to_pylist() for one in cards_of or [] if one}
        if before == (len(known), len(own), len(card)):
            break
    contacts = {*_texts(person, "email"), *_texts(person, "phone")}
    listed = _prospects(lake, partner, set(prospects), contacts)
    found = needles(
        nationals=_texts(person, "national_id"),
        cards=card,
        contacts=[*contacts, *_texts(listed, "email"), *_texts(listed, "phone")],
        ids=own,
        words=[*_texts(person, "name"), *_texts(person, "address"), *_whole_names(listed)],
        listed={*prospects, *_texts(listed, "prospect_id")},
    )
    return Subject(partner, frozenset(known), frozenset(own), frozenset(card), found, found.listed)


def _prospects(lake: Lake, partner: str, numbers: set[str], contacts: set[str]) -> pa.Table:
    """Rows of the library's lists of prospects, of all versions: with these numbers, or with an address or telephone number of these."""
    rows = history(lake, "crm_prospect", partner, PROSPECT)
    if rows is None or not rows.num_rows:
        return pa.table({name: pa.array([], pa.string()) for name in PROSPECT})
    same = {_plain(one) for one in contacts}
    theirs = [{_plain(one) for one in pair if one} & same for pair in zip(*(rows[name].to_pylist() for name in CONTACTS), strict=True)]
    mine = pc.or_(pc.is_in(rows["prospect_id"], value_set=pa.array(sorted(numbers), pa.string())), pa.array([bool(one) for one in theirs]))
    return rows.filter(mine)


def _plain(contact: str) -> str:
    """An e-mail address or telephone number as it is compared."""
    return contact.strip().lower() if "@" in contact else "".join(sign for sign in contact if sign.isdigit() or sign == "+")


def _whole_names(rows: pa.Table) -> list[str]:
    return [" ".join(filter(None, pair)) for pair in zip(rows["first_name"].to_pylist(), rows["last_name"].to_pylist(), strict=True)]


def history(lake: Lake, table: str, partner: str, columns: Iterable[str]) -> pa.Table | None:
    """These columns of all of a partner's rows that lie in the table's folder, those of older versions too; None without a table."""
    if not exists(lake, table):
        return None
    store, wanted, parts = store_of(lake, table), list(columns), []
    for file in store.listing(f"{PARTITION}={plain_name(partner)}"):
        if file.path.startswith(LOG) or not file.path.endswith(".parquet"):
            continue
        with store.open_input(file.path) as stream:
            reader = pq.ParquetFile(stream)
            parts.append(reader.read(columns=[name for name in wanted if name in reader.schema_arrow.names]))
    return pa.concat_tables(parts, promote_options="permissive") if parts else None


def _links(lake: Lake, partner: str) -> set[tuple[str, str]]:
    """Pairs of pseudonyms that are one person: card and patron, merged and staying."""
    pairs: set[tuple[str, str]] = set()
    for table, one, other in (("patron_alias", "alias", "patron"), ("patron", "patron", "merged_into")):
        rows = history(lake, table, partner, [one, other])
        if rows is not None and rows.num_rows:
            pairs |= {(a, b) for a, b in zip(rows[one].to_pylist(), rows[other].to_pylist(), strict=True) if a and b}
    return pairs


def _identities(lake: Lake, partner: str) -> pa.Table:
    empty = pa.table({name: pa.array([], pa.list_(pa.string()) if name == "card_numbers" else pa.string()) for name in IDENTITY})
    rows = history(lake, "patron_identity", partner, IDENTITY)
    return empty if rows is None else pa.concat_tables([empty, rows], promote_options="permissive")


def _rows_of(identity: pa.Table, known: set[str]) -> pa.Table:
    return identity.filter(pc.is_in(identity["patron"], value_set=pa.array(sorted(known), pa.string())))


def _texts(rows: pa.Table, column: str) -> list[str]:
    return [one for one in rows[column].to_pylist() if one]
