"""`python -m connectors.oai_pmh harvest | serve | index | coverage | reload`: OAI-PMH from the command line."""

from __future__ import annotations

import sys
from enum import IntEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from include.engine.credentials import EnvironmentCredentials
from include.engine.errors import BinderyError, MissingCredential, Refused, SettingsError

app = typer.Typer(add_completion=False, help=__doc__)
console = Console(stderr=True, highlight=False)

if find_spec("connectors.oai_pmh.provider"):
    from connectors.oai_pmh.provider.serve import index, serve

    app.command()(serve)
    app.command()(index)


class Exit(IntEnum):
    """What a status means to whoever calls."""

    ALL = 0
    SOME_REJECTED = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4


@app.command()
def harvest(
    url: Annotated[str, typer.Argument(help="The repository's base URL; a path where --connection has the host.")],
    prefix: Annotated[str, typer.Option(help="metadataPrefix: marcxml, oai_dc, ...")],
    out: Annotated[Path, typer.Option(help="The Parquet file to be made.")],
    sets: Annotated[list[str] | None, typer.Option("--set", help="A setSpec; may be given several times.")] = None,
    begin: Annotated[str, typer.Option("--from", help="Changed at or after this day or moment (UTC).")] = "",
    until: Annotated[str, typer.Option(help="Changed at or before this day or moment (UTC).")] = "",
    connection: Annotated[str | None, typer.Option(help="AIRFLOW_CONN_<ID> with login, token, key or certificate.")] = None,
    quirk: Annotated[
        list[str] | None, typer.Option(help="What the repository wants otherwise: no_until, post, granularity=day, ...")
    ] = None,
    pause: Annotated[str, typer.Option(help="At least so long from one request to the next.")] = "0s",
    attempts: Annotated[int, typer.Option(help="How often a page is asked for.")] = 5,
) -> None:
    """Harvest a repository into one Parquet file: a row a record, each once, deleted ones as tombstones.

    Status 0: all of it is there. 1: all but the records in <out>.rejected.jsonl. 2: not understood. 3: the repository did not answer as it should.
    4: it refused. Without status 0 or 1 there is no file.
    """
    from connectors.oai_pmh.harvest.ask import moment_of
    from connectors.oai_pmh.harvest.to_file import harvest_to
    from connectors.oai_pmh.settings import OaiHarvest

    asked: dict[str, Any] = {"schedule": "hourly", "url": url, "prefix": prefix, "sets": tuple(sets or ()), "connection": connection}
    asked |= {"polite": {"pause": pause, "attempts": attempts}, "quirks": dict(map(_quirk, quirk or ()))}
    try:
        flow = OaiHarvest.model_validate(asked)
        first, last = moment_of(begin), moment_of(until, last=True)
    except (ValidationError, SettingsError) as error:
        _said(_words(error), Exit.USAGE)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bar:
        tasks = {series: bar.add_task(series, total=None) for series in flow.series}
        try:
            done = harvest_to(
                out, flow, first, last, EnvironmentCredentials(),
                lambda one: bar.update(tasks[one.series], completed=one.listed, total=one.size),
            )  # fmt: skip
        except (Refused, SettingsError, MissingCredential) as error:
            _said(str(error), Exit.REFUSED)
        except BinderyError as error:
            _said(str(error), Exit.UNREACHABLE)
    console.print(f"{out}: {done.records:,} records, {done.deleted:,} of them deleted; {done.repeated:,} came again.")
    if done.announced is not None and done.announced not in {done.records, done.records + done.repeated}:
        console.print(f"The repository announced {done.announced:,}.")
    for code, count in done.notes.items():
        console.print(f"{code}: {count:,}")
    if done.rejected:
        _said(f"{done.rejected:,} records could not be read: {out}.rejected.jsonl", Exit.SOME_REJECTED)


@app.command()
def coverage(partner: Annotated[str, typer.Argument(help="Whose harvest.")]) -> None:
    """How far a partner's repository is covered, series by series; status 1 when there is a gap."""
    from connectors.oai_pmh.harvest.ask import coverage as of

    found = of(_engine(), partner)
    out = Console(highlight=False)
    for one in found:
        out.print(f"[bold]{one.series}[/]: everything until {one.until or 'nothing yet'}")
        for begin, end in one.gaps:
            out.print(f"  [red]gap[/] {begin or 'the beginning'} - {end}")
        table = Table("from", "until", "kind", "delivery", "state", "tries", "records", "announced", "")
        for window in one.windows[-20:]:
            figures = window.figures
            table.add_row(
                str(window.from_at or "beginning"), str(window.until_at or ""), window.kind, window.delivery_id, str(window.delivery_state),
                str(window.attempts), f"{figures.get('unique', 0):,}", str(figures.get("complete_list_size") or ""), window.reason or "",
            )  # fmt: skip
        out.print(table)
    raise typer.Exit(1 if any(one.gaps for one in found) else 0)


@app.command()
def reload(
    partner: Annotated[str, typer.Argument(help="Whose harvest.")],
    identifier: Annotated[list[str] | None, typer.Option(help="A record; may be given several times.")] = None,
    begin: Annotated[str, typer.Option("--from", help="Changed at or after this day or moment (UTC).")] = "",
    until: Annotated[str, typer.Option(help="Changed at or before this day or moment (UTC).")] = "",
    compare: Annotated[bool, typer.Option("--compare", help="Compare all identifiers with ours instead.")] = False,
    who: Annotated[str, typer.Option(help="Who says so: it stands in the audit.")] = "command line",
) -> None:
    """Fetch records again by identifier or by window, or compare everything: a delivery that dispatch starts at its next look."""
    from connectors.oai_pmh.harvest import ask

    try:
        if compare:
            made = ask.compare(_engine(), partner, who=who)
        else:
            made = ask.reload(
                _engine(), partner, identifiers=identifier or (), begin=ask.moment_of(begin), until=ask.moment_of(until, last=True), who=who
            )
    except BinderyError as error:
        _said(str(error), Exit.USAGE)
    typer.echo(made.id)


def _engine() -> Any:
    from connectors import flow_models
    from include.engine.engine import Engine

    return Engine.open(EnvironmentCredentials(), flow_models())


def _quirk(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    return name, value or True


def _words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
    return str(error)


def _said(words: str, status: Exit) -> None:
    console.print(words, style="red" if status > Exit.SOME_REJECTED else None, soft_wrap=True)
    raise typer.Exit(status)


if __name__ == "__main__":
    app()
