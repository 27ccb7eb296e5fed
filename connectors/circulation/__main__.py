"""Self-service, live: python -m connectors.circulation serve | compile | load | pins | conflicts | kiosk | record | shadow | bridge | borrower-check | hash

The store, the journal and the settings lie in `<BINDERY_HOME>/circulation` (`--folder`: in another); the key that seals the journal is in
Bindery's key store.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.table import Table

from connectors.circulation import tools
from connectors.circulation.commands import Port, console, hashing, told

app = typer.Typer(no_args_is_help=True, add_completion=False, help=(__doc__ or "").split("\n\n")[0], pretty_exceptions_enable=False)

Folder = Annotated[
    str,
    typer.Option(
        "--folder",
        envvar="BINDERY_CIRCULATION_FOLDER",
        help="The sidecar's folder in Bindery's home: each of several sidecars has its own.",
    ),
]


def folder(name: str) -> Path:
    """Where a sidecar keeps what is its own; the flows of its library name the same folder."""
    from connectors.circulation.settings import FOLDER

    if not re.fullmatch(FOLDER, name):
        raise typer.BadParameter("letters, digits, hyphens and underscores", param_hint="--folder")
    return Path(os.environ.get("BINDERY_HOME") or Path(__file__).resolve().parents[2] / ".bindery").absolute() / name


@app.command()
def serve(
    sip2_port: Port = 6001,
    no_sip2_port: Annotated[bool, typer.Option("--no-sip2-port", help="No SIP2 without TLS.")] = False,
    sip2_tls_port: Annotated[int | None, typer.Option(min=0, max=65535, help="Needs --certificate and --key.")] = None,
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="/health and /metrics.")] = 8200,
    https_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="SIP2 at /sip2, NCIP at /ncip, Netmusik; needs --certificate and --key.")
    ] = None,
    ncip_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="NCIP and Netmusik without TLS, for a proxy on this machine.")
    ] = None,
    host: Annotated[str, typer.Option(help="0.0.0.0 for all the machine's addresses.")] = "127.0.0.1",
    certificate: Annotated[Path | None, typer.Option(help="PEM, for TLS.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM, for TLS.")] = None,
    client_ca: Annotated[Path | None, typer.Option(help="PEM: who signs the terminals' own certificates.")] = None,
    log_messages: Annotated[bool, typer.Option("--log-messages", help="Log every line of SIP2, masked: to see what a kiosk says.")] = False,
    name: Folder = "circulation",
    demo: Annotated[bool, typer.Option("--demo", help="Serve a small made-up library, which is gone at the end.")] = False,
) -> None:
    """Answer kiosks until the process is stopped. The ports are printed as one line of JSON."""

    def run() -> None:
        from connectors.circulation import compiled

        quick = compiled.use()
        from connectors.circulation import logs
        from connectors.circulation.demo import made
        from connectors.circulation.serving import Ports
        from connectors.circulation.serving import serve as serve_until_stopped

        logs.begin(messages=log_messages)
        logging.getLogger("bindery.circulation").info("the sidecar runs %s", "compiled" if quick else "as it is written: see `compile`")
        ports = Ports(
            host, None if no_sip2_port else sip2_port, sip2_tls_port, http_port, https_port, ncip_port, certificate, key, client_ca
        )
        where, keys, done = made() if demo else (folder(name), _keys(), lambda: None)
        try:
            with asyncio.Runner(loop_factory=_loop()) as runner:
                runner.run(serve_until_stopped(where, keys, ports))
        finally:
            done()

    told(run)


@app.command(name="compile")
def compile_() -> None:
    """Compile what answers kiosks, once for each version, into the user's cache (a minute or two); `serve` takes it from there and needs a quarter
    less processor. Wants a C compiler and Python's headers."""

    def run() -> None:
        from connectors.circulation.compiled import build

        console.print(f"compiled: {build()}", highlight=False, soft_wrap=True)

    told(run)


@app.command()
def load(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="CSV by table, or YAML.")], name: Folder = "circulation"
) -> None:
    """Fill the store: patrons with PINs, items, loans, holds, fees; and the settings: rules, terminals. The server must not run."""

    def run() -> None:
        from connectors.circulation.embedded.backend import opened
        from connectors.circulation.embedded.rules import Rules
        from connectors.circulation.loading import load as put

        backend = opened(folder(name), _keys(), Rules())
        try:
            counts = put(files, folder(name), backend.store, hashing())
            backend.commit()
        finally:
            backend.close(keep=False)
        for table, count in counts.items():
            console.print(f"{table}: {count:,}", highlight=False)

    told(run)


@app.command()
def pins(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV with the columns card (or patron) and pin.")],
    name: Folder = "circulation",
) -> None:
    """Give the sidecar new PINs; it takes them within seconds while it serves, or at its next start. They are hashed here."""

    def run() -> None:
        from connectors.circulation.pinfile import leave

        os.nice(10)  # kiosks come first
        console.print(f"{leave(file, folder(name), hashing()):,} PINs are left for the sidecar", highlight=False)

    told(run)


@app.command()
def conflicts(
    cards: Annotated[bool, typer.Option("--cards", help="Card numbers in full, for staff who must find the patron.")] = False,
    language: Annotated[str, typer.Option(help="en, da, sv or nl.")] = "en",
    csv: Annotated[Path | None, typer.Option(help="Write them to this file, for a spreadsheet; only you can read it.")] = None,
    close: Annotated[list[int] | None, typer.Option(help="The number of one that staff have dealt with.")] = None,
    name: Folder = "circulation",
) -> None:
    """What kiosks were told and the library system does not agree with, both sides; the server may run meanwhile."""

    def run() -> None:
        from connectors.circulation.embedded.rules import Rules
        from connectors.circulation.forwarding import keeping
        from connectors.circulation.forwarding.report import COLUMNS, as_csv, rows
        from connectors.circulation.forwarding.standing import standing
        from connectors.circulation.words import LANGUAGES

        if language not in LANGUAGES:
            raise typer.BadParameter(f"there are {', '.join(LANGUAGES)}", param_hint="--language")
        where = folder(name)
        rules = Rules.load(where / "rules.yaml") if (where / "rules.yaml").exists() else Rules()
        state = standing(where, _keys())
        for number in close or ():
            if number not in state.conflicts:
                raise typer.BadParameter(f"there is no open conflict {number}", param_hint="--close")
            keeping.close(where, number)
        if close:
            return
        found = list(rows(state.conflicts.values(), language, ZoneInfo(rules.timezone), masked=not cards))
        if csv is not None:
            csv.touch(mode=0o600)
            csv.chmod(0o600)  # it may have been there
            csv.write_text(as_csv(found), encoding="utf-8")
        else:
            for row in found:  # a line each: twelve columns beside each other fit no terminal
                table = Table.grid(padding=(0, 2))
                for column in COLUMNS:
                    if row[column]:
                        table.add_row(column, row[column])
                console.print(table, end="\n\n")
        console.print(f"{len(found):,} conflicts, {len(state.waiting):,} transactions wait for the library system", highlight=False)

    told(run)


@app.command(name="hash")
def hash_(secret: Annotated[str, typer.Option(prompt=True, hide_input=True)]) -> None:
    """The hash of a terminal's password, for terminals.yaml."""
    from connectors.circulation.pins import hashed

    print(hashed(secret))


def _keys() -> Any:
    from connectors import flow_models
    from include.engine.credentials import EnvironmentCredentials
    from include.engine.engine import Engine

    return Engine.open(EnvironmentCredentials(), flow_models()).keys


def _loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


for command in (tools.kiosk, tools.bridge, tools.record, tools.shadow, tools.borrower_check):
    app.command(name=command.__name__.replace("_", "-"))(command)


if __name__ == "__main__":
    app()
