"""What a receipt says, from the ledger and the sealed quarantine, before it is laid out as text or JSON."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from include.engine.delivery import Counts, Delivery, State
from include.engine.engine import Engine
from include.engine.errors import BinderyError
from include.engine.ledger import quarantined
from include.engine.ledger.quarantined import Quarantined
from include.engine.quarantine import store
from include.engine.reasons import advice, table, words
from include.engine.reasons.translate import translate

EXAMPLES = 20
"""Records that a receipt shows for each reason; the JSON form lists up to `LISTED`."""
LISTED = 10_000


@dataclass(frozen=True)
class Line:
    """One record that was set aside: where it is in the partner's own file, and why."""

    member: str
    record: int
    offset: int
    reason: str
    column: str | None
    words: str


@dataclass(frozen=True)
class Group:
    """All records set aside for one reason; `lines` are the first of them."""

    reason: str
    words: str
    advice: str
    count: int
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Receipt:
    """Everything a receipt says. `why` and `advice` are for a delivery that was not taken in; `would` for a partner in status `test`."""

    delivery: str
    partner: str
    file: str
    table: str
    language: str
    received: datetime
    state: State
    test: bool
    counts: Counts
    reason: str | None
    why: str
    advice: str
    duplicate_of: str
    groups: tuple[Group, ...]
    warnings: tuple[tuple[str, str, int], ...]
    filtered: tuple[tuple[str, str, int], ...]
    tables: dict[str, dict[str, int]]


def compose(engine: Engine, delivery: Delivery, state: State, language: str) -> Receipt:
    """The receipt of a delivery that ends in `state`, in `language`."""
    reason = delivery.reason if state != State.FAILED else delivery.reason or "INTERNAL"
    known = reason if reason in table() else None
    tables: dict[str, Any] = delivery.facts.get("would") or delivery.facts.get("published") or {}
    kept = ("added", "changed", "deleted", "unchanged")
    return Receipt(
        delivery=delivery.id,
        partner=delivery.partner,
        file=(delivery.path or delivery.id).rpartition("/")[2],
        table=delivery.table,
        language=language,
        received=delivery.seen_at,
        state=state,
        test=delivery.status == "test",
        counts=delivery.counts,
        reason=known,
        why=_why(known, delivery.message or "", language) if state in {State.BLOCKED, State.HELD, State.FAILED} else "",
        advice=advice(known, language) if known else "",
        duplicate_of=(delivery.message or "").rpartition(" ")[2] if state == State.DUPLICATE else "",
        groups=tuple(_groups(engine, delivery, language)),
        warnings=_counted(delivery.facts.get("warnings", {}), language),
        filtered=_counted(delivery.facts.get("filtered", {}), language),
        tables={name: {figure: counts[figure] for figure in kept} for name, counts in tables.items()},
    )


def _why(reason: str | None, message: str, language: str) -> str:
    """The reason in the partner's language; its values are those of our own sentence, where that can be read back."""
    if reason is None:
        return message
    return translate(reason, _sentence(message, reason), language)


def _sentence(message: str, reason: str) -> str:
    """The message without its place in front and its code behind (errors.BinderyError.__str__)."""
    return message.removesuffix(f" [{reason}]").partition(": ")[2]


def _groups(engine: Engine, delivery: Delivery, language: str) -> list[Group]:
    found = quarantined.find(engine.ledger, delivery_id=delivery.id, limit=LISTED)
    totals: dict[str, int] = defaultdict(int)
    for (code, _), count in quarantined.counts(engine.ledger, delivery.id).items():
        totals[code] += count
    lines: dict[str, list[Line]] = defaultdict(list)
    details = _details(engine, found)
    for one in sorted(found, key=lambda row: (row.member, row.record)):
        said = details.get((one.blob_uri, one.blob_row))
        sentence = translate(one.reason, said, language) if said else words(one.reason, language, column=one.column or "")
        lines[one.reason].append(Line(one.member, one.record, one.offset, one.reason, one.column, sentence))
    ordered = sorted(totals, key=lambda code: (-totals[code], code))
    return [Group(code, words(code, language), advice(code, language), totals[code], tuple(lines[code])) for code in ordered]


def _details(engine: Engine, found: list[Quarantined]) -> dict[tuple[str, int], str]:
    """The sentence for each record, from the sealed files; without them (erased, expired) the reason alone is told."""
    wanted: dict[str, list[int]] = defaultdict(list)
    for one in found:
        wanted[one.blob_uri].append(one.blob_row)
    sentences: dict[tuple[str, int], str] = {}
    for uri, rows in wanted.items():
        try:
            kept = store.read(engine.home, uri, engine.keys, rows)
        except BinderyError:
            continue
        for row, detail in zip(sorted(set(rows)), kept.column("detail").to_pylist(), strict=True):
            if detail:
                sentences[uri, row] = detail
    return sentences


def _counted(counts: dict[str, int], language: str) -> tuple[tuple[str, str, int], ...]:
    return tuple((code, words(code, language) if code in table() else code, count) for code, count in counts.items())
