"""What a receipt says, from the ledger and the sealed quarantine, before it is laid out as text or JSON."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from include.engine.delivery import Counts, Delivery, State
from include.engine.engine import Engine
from include.engine.errors import BinderyError
from include.engine.ledger import quarantined
from include.engine.ledger.quarantined import Quarantined
from include.engine.quarantine import store
from include.engine.reasons import advice, table, words
from include.engine.reasons.translate import bare, translate
from include.engine.storage.seen import shown

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
class Counted:
    """How often something happened that set nothing aside: a warning, or records left out on purpose."""

    reason: str
    words: str
    advice: str
    count: int


@dataclass(frozen=True)
class Receipt:
    """Everything a receipt says. `why` and `advice` are for a delivery that was not taken in. `outbound` is for one that left the house: how
    many parts and bytes went (or, for a partner in status `test`, would have gone), and where the receiver says so, how many records it
    `created`, `updated`, `removed`, and has `unchanged`."""

    delivery: str
    partner: str
    file: str
    table: str
    mode: str
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
    warnings: tuple[Counted, ...]
    filtered: tuple[Counted, ...]
    tables: dict[str, dict[str, int]]
    outbound: dict[str, int] | None = None


def compose(engine: Engine, delivery: Delivery, state: State, language: str, zone: str = "UTC") -> Receipt:
    """The receipt of a delivery that ends in `state`, in `language`, by the clock of the IANA time zone `zone`."""
    reason = delivery.reason if state != State.FAILED else delivery.reason or "INTERNAL"
    known = reason if reason in table() else None
    outbound = _outbound(delivery) if "pins" in delivery.facts else None
    tables: dict[str, Any] = delivery.facts.get("would") or delivery.facts.get("published") or {} if outbound is None else {}
    kept = ("added", "changed", "deleted", "unchanged")
    remarks = dict.fromkeys(delivery.facts.get("remarks", []), 1)
    return Receipt(
        delivery=delivery.id,
        partner=delivery.partner,
        file=shown((delivery.path or delivery.id).rpartition("/")[2]),
        table=delivery.table,
        mode=delivery.mode,
        language=language,
        received=delivery.seen_at.astimezone(ZoneInfo(zone)),
        state=state,
        test=delivery.status == "test",
        counts=delivery.counts,
        reason=known,
        why=why(delivery, known, language) if state in {State.BLOCKED, State.HELD, State.FAILED, State.RETRACTED} else "",
        advice=advice(known, language) if known else "",
        duplicate_of=(delivery.message or "").rpartition(" ")[2] if state == State.DUPLICATE else "",
        groups=tuple(_groups(engine, delivery, language)),
        warnings=_counted({**remarks, **delivery.facts.get("warnings", {})}, language),
        filtered=_counted(delivery.facts.get("filtered", {}), language),
        tables={
            name: {figure: counts[figure] for figure in kept}
            for name, counts in sorted(
                tables.items(), key=lambda pair: pair[0] != delivery.table
            )  # what was delivered before what came of it
        },
        outbound=outbound,
    )


def why(delivery: Delivery, reason: str | None, language: str) -> str:
    """The reason in the partner's language, with the values that the error told; our own message where the table has no word for it."""
    message = delivery.message or ""
    if reason is None:
        return message
    if told := delivery.facts.get("told"):
        return words(reason, language, **told)
    return translate(reason, message.removesuffix(f" [{reason}]").partition(": ")[2], language)


def _outbound(delivery: Delivery) -> dict[str, int]:
    """What went, or would have gone; what the receiver did with it, and how much it has already, where that is known."""
    sent: dict[str, int] = delivery.facts.get("would_send") or delivery.facts.get("sent") or {}
    unchanged = delivery.facts.get("unchanged", 0)
    return sent | ({"unchanged": unchanged} if unchanged or "created" in sent else {})


def _groups(engine: Engine, delivery: Delivery, language: str) -> list[Group]:
    totals: dict[str, int] = defaultdict(int)
    for (code, _), count in quarantined.counts(engine.ledger, delivery.id).items():
        totals[code] += count
    # Of each reason some: a frequent one must not hide the others.
    most = max(EXAMPLES, LISTED // max(1, len(totals)))
    found = [one for code in totals for one in quarantined.find(engine.ledger, delivery_id=delivery.id, reason=code, limit=most)]
    lines: dict[str, list[Line]] = defaultdict(list)
    details = _details(engine, found)
    for one in sorted(found, key=lambda row: (row.member, row.record)):
        said = details.get((one.blob_uri, one.blob_row))
        sentence = translate(one.reason, said, language) if said else bare(one.reason, language)
        lines[one.reason].append(Line(one.member, one.record, one.offset, one.reason, one.column, sentence))
    ordered = sorted(totals, key=lambda code: (-totals[code], code))
    return [Group(code, bare(code, language), advice(code, language), totals[code], tuple(lines[code])) for code in ordered]


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


def _counted(counts: dict[str, int], language: str) -> tuple[Counted, ...]:
    """Counts by reason; a code may name its column behind a colon (`COLUMN_NEW:note`)."""
    return tuple(_told(*code.partition(":")[::2], count, language) for code, count in counts.items())


def _told(code: str, column: str, count: int, language: str) -> Counted:
    if code not in table():
        return Counted(code, code, "", count)
    said = words(code, language, column=column) if column else bare(code, language)
    return Counted(code, said, advice(code, language), count)
