"""The table of what came in: a line a file on an ordinary terminal, and no column of nothing."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from rich.console import Console

from include.engine.delivery import Counts, State
from include.sandbox.deliveries import Drop
from include.sandbox.demo.report import came_in
from include.sandbox.demo.verdict import Verdict

LONGEST = "loans_history_20261122.jsonl"


def _lines(*counts: Counts, width: int = 120) -> list[str]:
    verdict, drops = Verdict(), []
    for number, one in enumerate(counts):
        drops.append(Drop("molendal", "smb", "plain", Path("x"), LONGEST, cast(Any, None)))
        state, reason = (State.ACKNOWLEDGED, None) if number == 0 else (State.DUPLICATE, "FILE_DUPLICATE")
        verdict.deliveries[drops[-1]] = cast(Any, SimpleNamespace(counts=one, state=state, reason=reason))
    drops.append(Drop("lindeby", "local", "plain", Path("x"), "fees.csv", cast(Any, None)))  # nothing came of it
    out = StringIO()
    Console(file=out, width=width).print(came_in(drops, verdict))
    return [line.strip() for line in out.getvalue().splitlines()]


def test_each_file_is_one_line_with_what_it_came_over_and_what_became_of_it() -> None:
    lines = _lines(Counts(in_=3061, published=3000, quarantined=61), Counts())
    assert [line.split() for line in lines if line.startswith(("library", "molendal", "lindeby"))] == [
        ["library", "file", "over", "records", "published", "set", "aside", "became"],
        ["molendal", LONGEST, "SMB", "3,061", "3,000", "61", "acknowledged"],
        ["molendal", LONGEST, "SMB", "duplicate", "FILE_DUPLICATE"],
        ["lindeby", "fees.csv", "nothing"],
    ]


def test_what_was_filtered_has_a_column_where_there_is_any() -> None:
    lines = _lines(Counts(in_=10, published=7, filtered=3))
    assert next(line for line in lines if line.startswith("library")).split()[-2:] == ["filtered", "became"]
    assert next(line for line in lines if line.startswith("molendal")).split()[-2:] == ["3", "acknowledged"]
