"""`python -m connectors quarantine list | show`: the quarantine for operators without the board. Masked as there; a look at more is audited."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from include.engine.engine import Engine
from include.engine.errors import BinderyError
from include.engine.ledger import deliveries, quarantined
from include.engine.ledger.quarantined import Fate
from include.engine.quarantine.decide import reveal
from include.engine.quarantine.look import head, look
from include.engine.quarantine.writing import Writing, WritingOf
from include.records import raw
from include.records.masks import Masks
from include.records.show import show as as_record


def commands(engine: Callable[[], Engine], writings: Callable[[], Mapping[str, WritingOf]]) -> typer.Typer:
    """The commands as an app of their own; `writings` are how the records of each flow are written."""
    app = typer.Typer(add_completion=False, help=__doc__)
    console = Console(highlight=False)

    @app.command("list")
    def listed(
        delivery: Annotated[str, typer.Argument(help="The delivery's id.")],
        reason: Annotated[str, typer.Option(help="Only those set aside for this reason code.")] = "",
        state: Annotated[Fate | None, typer.Option(help="Only those of which this became.")] = None,
        limit: Annotated[int, typer.Option(help="At most so many.")] = 100,
    ) -> None:
        """The records of a delivery that were set aside, a line each."""
        table = Table("id", "record", "reason", "column", "state", box=None)
        for one in quarantined.find(engine().ledger, delivery_id=delivery, reason=reason or None, state=state, limit=limit):
            table.add_row(f"{one.id}", f"{one.record}", one.reason, one.column or "", str(one.state))
        console.print(table)

    @app.command("show")
    def shown(
        id: Annotated[int, typer.Argument(help="The record's id, as `list` and the board say it.")],
        why: Annotated[str, typer.Option(help="Show personal values too, and say why: your name and the reason go into the audit.")] = "",
        who: Annotated[str, typer.Option(help="Whom the audit names.")] = "",
    ) -> None:
        """One record as its people read it, and its bytes."""
        try:
            if why:
                reveal(engine(), id, who=who or getpass.getuser(), why=why)
            _print(console, engine(), id, writings(), opened=bool(why))
        except BinderyError as error:
            console.print(f"[red]{escape(str(error))}[/]")
            raise typer.Exit(1) from None

    return app


def _print(console: Console, engine: Engine, id: int, writings: Mapping[str, WritingOf], *, opened: bool) -> None:
    looked = look(engine, id)
    origin = deliveries.get(engine.ledger, looked.row.delivery_id)
    writing = writings[origin.flow](engine, origin) if origin.flow in writings else Writing()
    masks = Masks(writing, reveal=opened)
    row = looked.row
    console.print(f"[bold]{escape(looked.detail or row.reason)}[/]  {row.reason}  {row.state}")
    console.print(f"{escape(origin.id)}  {escape(origin.path or '')}  record {row.record:,}, byte {row.offset:,}, {looked.size:,} bytes")
    if looked.raw is None:
        console.print(f"No bytes: {looked.gone or 'none were kept'}.")
        return
    found = as_record(looked.raw, masks, head=head(engine, origin, row.member), column=row.column, whole=looked.whole)
    table = Table(box=None, show_header=False)
    for line in found.lines:
        value = " ".join(
            f"[bold]{escape(part.code)}[/] {escape(_plain(part.value))}" if part.code else escape(_plain(part.value)) for part in line.parts
        )
        table.add_row(f"{'→' if line.blamed else ' '} {'  ' * line.depth}{escape(line.name)}", escape(line.mark), value)
    console.print(table)
    for fault in found.broken:
        console.print(f"[red]{fault.reason}[/]" + (f" at byte {fault.place:,}" if fault.place is not None else ""))
    bytes_ = raw.show(looked.raw, looked.size, masks)
    if bytes_.masked:
        console.print("Its bytes are masked: `--why` shows them.")
    for place, hexadecimal, letters in bytes_.rows[:32]:
        console.print(f"[dim]{place}[/]  {hexadecimal:<47}  {escape(letters)}")


def _plain(text: str) -> str:
    """Without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "·" for letter in text)
