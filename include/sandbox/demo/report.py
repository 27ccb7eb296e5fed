"""What the demo prints: what came in, what became of it, where the Parquet lies, and how to read it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from include.sandbox.airflow import Airflow
from include.sandbox.deliveries import Drop
from include.sandbox.demo.acts import Outcome
from include.sandbox.demo.installation import ROOT, Installation
from include.sandbox.demo.reading import snapshot, ways_to_read
from include.sandbox.demo.verdict import Verdict

_OVER = {"local": "folder", "sftp": "SFTP", "smb": "SMB"}


def report(
    console: Console, installation: Installation, airflow: Airflow, drops: list[Drop], outcomes: list[Outcome], verdict: Verdict
) -> None:
    """A table of the deliveries, the reasons, what each act did, the places and the verdict."""
    console.print(came_in(drops, verdict))
    reasons: Counter[str] = Counter()
    for drop in drops:
        reasons.update(verdict.aside.get(drop, {}))
    why = Table(title="Set aside, with its bytes, because", title_justify="left", header_style="bold", box=SIMPLE_HEAD)
    why.add_column("reason")
    why.add_column("records", justify="right")
    for reason, count in reasons.most_common():
        why.add_row(reason, f"{count:,}")
    console.print(why)
    for outcome in outcomes:
        console.print(outcome.title, style="bold italic", markup=False)
        for line in (*outcome.lines, ""):
            console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    _places(console, installation, airflow)
    if verdict.right:
        console.print(f"[bold green]Every figure is as it must be:[/] {len(drops)} files, {sum(reasons.values()):,} records set aside.")
    else:
        console.print("[bold red]Not as it must be:[/]")
        for words in verdict.wrong:
            console.print(f"  {words}", markup=False)


def came_in(drops: list[Drop], verdict: Verdict) -> Table:
    """A line a file: over what it came, its records, and what became of it; red where that is not as it must be."""
    table = Table(title="What came in", title_justify="left", header_style="bold", box=SIMPLE_HEAD)
    for name in ("library", "file", "over"):
        table.add_column(name, no_wrap=True)
    filtered = any(one.counts.filtered for one in verdict.deliveries.values())
    for name in ("records", "published", "set aside", *(["filtered"] if filtered else [])):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("became")
    for drop in drops:
        one = verdict.deliveries.get(drop)
        if one is None:
            table.add_row(drop.library, drop.file, *[""] * (len(table.columns) - 3), "[red]nothing")
            continue
        right = not any(words.startswith(f"{drop.library}/{drop.file}:") for words in verdict.wrong)
        counts = (one.counts.in_, one.counts.published, one.counts.quarantined, *([one.counts.filtered] if filtered else []))
        table.add_row(
            drop.library, drop.file, _OVER[drop.transport], *(f"{count:,}" if count else "" for count in counts),
            f"[{'green' if right else 'red'}]{one.state}" + (f" {one.reason}" if one.reason else ""),
        )  # fmt: skip
    return table


def _places(console: Console, installation: Installation, airflow: Airflow) -> None:
    here = _shown(snapshot(installation))
    console.print(f"Lake (Delta)      {_shown(installation.home / 'lake')}", highlight=False)
    console.print(f"BI (Parquet)      {here}", highlight=False)
    console.print(
        f"Receipts          {_shown(installation.home / 'receipts')}, {len(installation.mail.mails())} of them by mail", highlight=False
    )
    console.print(f"Airflow           {airflow.url}/dags/ils_import", highlight=False)
    console.print(f"The board         {airflow.url}/plugin/bindery", highlight=False)
    console.print("\nRead it:")
    for line in (*ways_to_read(here), ""):
        console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
