"""`python -m connectors check-partners [PARTNER] | schema | quarantine ...`: are the partners' YAML and connections right; what was set aside?"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from connectors import flow_models, writings
from include.engine.credentials import EnvironmentCredentials
from include.engine.engine import ROOT, Engine
from include.engine.errors import BinderyError
from include.engine.partner.loading import load_partners
from include.engine.partner.loading import schema as partner_schema
from include.engine.partner.settings import InboxFlow, Partner
from include.engine.storage.check import check
from include.engine.storage.filesystem import open_store
from include.records.commands import commands

app = typer.Typer(add_completion=False, help=__doc__)
app.add_typer(commands(lambda: Engine.open(EnvironmentCredentials(), flow_models()), writings), name="quarantine")
console = Console()


@app.command("check-partners")
def check_partners(
    partner: Annotated[str, typer.Argument(help="This partner alone, and its connections too: list, read, write, rename.")] = "",
    folder: Annotated[Path, typer.Option(envvar="BINDERY_PARTNERS", help="The folder of partner YAML.")] = ROOT / "include" / "partners",
    home: Annotated[Path, typer.Option(envvar="BINDERY_HOME", help="Bindery's home, for file: inboxes.")] = ROOT / ".bindery",
) -> None:
    """Every partner's YAML; exit status 1 when something cannot be used."""
    found = load_partners(folder, flow_models())
    mistakes = [one for one in found.mistakes if partner in ("", one.partner)]
    for mistake in mistakes:
        _say(False, f"{mistake.partner}  {mistake}")
    for one in found.partners.values():
        if partner in ("", one.id):
            _say(True, f"{one.id}  {one.name}: {', '.join(one.flows) or 'no flow'} ({one.status})")
    right = not mistakes
    if partner in found.partners:
        right = _connections(found.partners[partner], home)
    elif partner and not mistakes:
        _say(False, f"there is no partner {partner!r} in {folder}")
        right = False
    raise typer.Exit(0 if right else 1)


def _say(right: bool, text: str) -> None:
    console.print("[green]✓[/]" if right else "[red]✗[/]", escape(text), highlight=False, soft_wrap=True)


def _connections(partner: Partner, home: Path) -> bool:
    """Try each inbox and receipts' folder, and say a line a step; whether all went well."""
    right = True
    for name, flow in partner.flows.items():
        if not isinstance(flow, InboxFlow):
            continue
        for uri in filter(None, (flow.inbox, flow.receipts)):
            try:
                with open_store(uri, EnvironmentCredentials(), home) as store:
                    lines = [(line.step, line.ok, line.detail) for line in check(store, writes=flow.after != "leave")]
            except BinderyError as error:
                lines = [("open", False, str(error))]
            console.print(f"{name}  {escape(uri)}", highlight=False, soft_wrap=True)
            for step, ok, said in lines:
                right &= ok
                _say(ok, f"{step}: {said}" if said else step)
    return right


@app.command()
def schema() -> None:
    """The JSON schema of a partner's YAML, for editors."""
    json.dump(partner_schema(flow_models()), sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    app()
