"""A receipt as text for people and as JSON for their systems."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from textwrap import wrap
from typing import Any

from include.engine import yamls
from include.engine.delivery import State
from include.engine.outbound.connector import FIGURES
from include.engine.reasons import number
from include.engine.receipts.compose import EXAMPLES, Group, Receipt

WIDTH = 100
WORDS = Path(__file__).with_name("words.yaml")


def say(language: str, what: str, **values: Any) -> str:
    """One of the receipt's own phrases; counts get the language's thousands separator."""
    filled = {name: number(value, language) if isinstance(value, int) else value for name, value in values.items()}
    return yamls.phrases(WORDS)[language][what].format_map(defaultdict(str, filled))


def summary(receipt: Receipt) -> str:
    """One line: how many came, what became of them."""
    counts, language = receipt.counts, receipt.language
    parts = [
        ("accepted" if receipt.outbound is None else "went_out", counts.published),
        ("set_aside", counts.quarantined),
        ("filtered", counts.filtered),
        ("held_back", counts.held),
    ]
    said = ", ".join(say(language, name, count=count) for name, count in parts if count or name in {"accepted", "went_out"})
    return f"{say(language, 'records', count=counts.in_)}: {said}"


def as_text(receipt: Receipt) -> str:
    """The receipt as plain text, at most about a screen wide."""
    language = receipt.language
    lines = [f"{receipt.file}   {summary(receipt)}", "", *_outcome(receipt)]
    for group in receipt.groups:
        lines += ["", *_group(group, language)]
    for heading, counted in (("warnings", receipt.warnings), ("filtered_why", receipt.filtered)):
        if counted:
            lines += ["", say(language, heading)]
        for one in counted:
            lines.append(f"  {number(one.count, language):>8}  {one.words}   {one.reason}")
            lines += _wrapped(one.advice, 12) if heading == "warnings" else []
    zone = getattr(receipt.received.tzinfo, "key", "UTC")
    received = f"{receipt.received:%Y-%m-%d %H:%M} ({zone})"
    lines += ["", f"{say(language, 'delivery')} {receipt.delivery}", f"{say(language, 'received')} {received}"]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _group(group: Group, language: str) -> list[str]:
    """Its first records, a line each, how many more there are, and what to do."""
    shown = group.lines[:EXAMPLES]
    places = [say(language, "record", record=line.record) + (f" ({line.member})" if line.member else "") for line in shown]
    wide = max([16, *map(len, places)])
    lines = [f"  {place:<{wide}} {line.words:<{WIDTH - wide - 2}} {line.reason}" for place, line in zip(places, shown, strict=True)]
    left = group.count - min(EXAMPLES, len(group.lines))
    if left > 0:
        lines.append(f"  {'':<16} ({say(language, 'more', count=left)})")
    return lines + _wrapped(say(language, "what_to_do", words=group.advice), 19)


def _wrapped(text: str, indent: int) -> list[str]:
    return wrap(text, WIDTH + 20, initial_indent=" " * indent, subsequent_indent=" " * indent)


def _outcome(receipt: Receipt) -> list[str]:
    language = receipt.language
    if receipt.outbound is not None:
        return _went_out(receipt, receipt.outbound)
    if receipt.state == State.DUPLICATE:
        return [say(language, "duplicate", origin=receipt.duplicate_of)]
    if receipt.state in {State.BLOCKED, State.HELD, State.FAILED}:
        lines = [say(language, receipt.state)]
        lines += [say(language, "why", words=receipt.why)] if receipt.why else []
        return lines + ([say(language, "what_to_do", words=receipt.advice)] if receipt.advice else [])
    lines = [say(language, "test")] if receipt.test else []
    part = "taken_in_part_full" if receipt.mode == "full" else "taken_in_part"
    lines += [say(language, part if receipt.groups else "taken_in")] if not receipt.test else []
    return lines + [
        "  " + say(language, "tables", table=yamls.phrases(WORDS)[language].get(table, table), **counts)
        for table, counts in receipt.tables.items()
    ]


def _went_out(receipt: Receipt, sent: dict[str, int]) -> list[str]:
    language = receipt.language
    if receipt.state in {State.BLOCKED, State.HELD, State.FAILED, State.RETRACTED}:
        lines = [say(language, f"out_{receipt.state}")]
        lines += [say(language, "why", words=receipt.why)] if receipt.why else []
        return lines + ([say(language, "what_to_do", words=receipt.advice)] if receipt.advice else [])
    said = [say(language, "sent", **sent) if sent.get("parts") else say(language, "nothing_due")]
    if "unchanged" in sent:
        said.append(
            say(language, "figures", **{**dict.fromkeys(FIGURES, 0), **sent}) if "created" in sent else say(language, "as_before", **sent)
        )
    return [say(language, "test"), *(f"  {one}" for one in said)] if receipt.test else said


def as_json(receipt: Receipt) -> str:
    """The receipt for the partner's own systems: the same figures, and each record with its place and code. Format version 1."""
    body = {"version": 1, **asdict(receipt), "counts": {name.strip("_"): value for name, value in asdict(receipt.counts).items()}}
    return json.dumps(body, ensure_ascii=False, indent=1, default=str) + "\n"


def needs_attention(receipt: Receipt) -> bool:
    """Whether somebody at the partner should read it: not everything was taken in."""
    return bool(receipt.groups) or receipt.state in {State.BLOCKED, State.HELD, State.FAILED, State.RETRACTED}
