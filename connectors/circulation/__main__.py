"""Self-service, live: python -m connectors.circulation serve | load | pins | conflicts | kiosk | record | shadow | bridge | borrower-check | hash

The store, the journal and the settings lie in `<BINDERY_HOME>/circulation` (`--folder`: in another); the key that seals the journal is in
Bindery's key store.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from include.engine.errors import BinderyError

app = typer.Typer(no_args_is_help=True, add_completion=False, help=(__doc__ or "").split("\n\n")[0], pretty_exceptions_enable=False)
console = Console()

Port = Annotated[int, typer.Option(min=0, max=65535)]
Host = Annotated[str, typer.Option(help="Where the server listens.")]


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
        from connectors.circulation import logs
        from connectors.circulation.demo import made
        from connectors.circulation.serving import Ports
        from connectors.circulation.serving import serve as serve_until_stopped

        logs.begin(messages=log_messages)
        ports = Ports(host, sip2_port, sip2_tls_port, http_port, https_port, ncip_port, certificate, key, client_ca)
        where, keys, done = made() if demo else (folder(name), _keys(), lambda: None)
        try:
            with asyncio.Runner(loop_factory=_loop()) as runner:
                runner.run(serve_until_stopped(where, keys, ports))
        finally:
            done()

    _told(run)


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
            counts = put(files, folder(name), backend.store)
            backend.commit()
        finally:
            backend.close(keep=False)
        for table, count in counts.items():
            console.print(f"{table}: {count:,}", highlight=False)

    _told(run)


@app.command()
def pins(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV with the columns card (or patron) and pin.")],
    name: Folder = "circulation",
) -> None:
    """Give the sidecar new PINs; it takes them within seconds while it serves, or at its next start. They are hashed here."""

    def run() -> None:
        from connectors.circulation.pinfile import leave

        console.print(f"{leave(file, folder(name)):,} PINs are left for the sidecar", highlight=False)

    _told(run)


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
        from connectors.circulation.forwarding.resume import resumed
        from connectors.circulation.words import LANGUAGES

        if language not in LANGUAGES:
            raise typer.BadParameter(f"there are {', '.join(LANGUAGES)}", param_hint="--language")
        where = folder(name)
        rules = Rules.load(where / "rules.yaml") if (where / "rules.yaml").exists() else Rules()
        state = resumed(where, _keys())
        for number in close or ():
            if number not in state.conflicts:
                raise typer.BadParameter(f"there is no open conflict {number}", param_hint="--close")
            keeping.close(where, number)
        if close:
            return
        found = list(rows(state.conflicts.values(), language, rules.zone, masked=not cards))
        if csv is not None:
            csv.touch(mode=0o600)
            csv.write_text(as_csv(found), encoding="utf-8")
        else:
            table = Table(*COLUMNS)
            for row in found:
                table.add_row(*(row[name] for name in COLUMNS))
            console.print(table)
        console.print(f"{len(found):,} conflicts, {len(state.waiting):,} transactions wait for the library system", highlight=False)

    _told(run)


@app.command()
def kiosk(
    host: Host = "127.0.0.1",
    port: Port = 6001,
    login: str = "selfcheck1",
    password: Annotated[str, typer.Option(envvar="BINDERY_KIOSK_PASSWORD")] = "secret",  # noqa: S107 - the demo's
    card: Annotated[list[str] | None, typer.Option(help="A patron's card; several for a load.")] = None,
    item: Annotated[list[str] | None, typer.Option(help="A barcode; several for a load.")] = None,
    pin: str = "",
    machines: Annotated[int, typer.Option(min=1, max=5000, help="More than one makes a load: loopback only.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, max=100_000)] = 1,
) -> None:
    """A simulated self-check: who is it, borrow, and give back; or the load of many machines."""
    from connectors.circulation.kiosk import Kiosk
    from connectors.circulation.kiosk import load as many

    cards, items = card or ["1000001"], item or ["3000001"]

    async def once() -> None:
        machine = await Kiosk.connect(host, port, login, password)
        table = Table("asked", "answered")
        for asked, answer in (
            ("who is it?", await machine.patron(cards[0], pin)),
            ("borrow", await machine.borrow(cards[0], items[0], pin)),
            ("what do they have?", await machine.patron(cards[0], pin)),
            ("give back", await machine.give_back(items[0])),
        ):
            table.add_row(asked, "  ".join(f"{code} {value}" for code in answer.fields for value in answer.every(code) if value))
        await machine.close()
        console.print(table)

    async def load_of_many() -> None:
        told = await many(host, port, [(login, password)], cards, items, kiosks=machines, rounds=rounds)
        seconds = sorted(one for machine in told for one in machine.seconds)
        console.print(
            f"{len(seconds):,} answers; p50 {statistics.median(seconds) * 1000:.1f} ms, p99 {seconds[len(seconds) * 99 // 100] * 1000:.1f} ms; "
            f"{sum(one.ok for one in told):,} ok, {sum(one.refused for one in told):,} refused",
            highlight=False,
        )

    if machines > 1 and host not in ("127.0.0.1", "localhost", "::1"):
        raise typer.BadParameter("a load goes to this machine alone", param_hint="--host")
    _told(lambda: asyncio.run(load_of_many() if machines > 1 else once()))


@app.command()
def bridge(
    url: Annotated[str, typer.Argument(help="Where the library system takes SIP2 over HTTPS.")],
    port: Port = 6001,
    host: Host = "127.0.0.1",
    ca: Annotated[
        Path | None, typer.Option(exists=True, help="PEM: who signed the other side's certificate, when no public authority did.")
    ] = None,
    encoding: Annotated[str, typer.Option(help="What the machines write.")] = "utf-8",
    terminator: Annotated[Literal["cr", "crlf", "lf"], typer.Option(help="What the lines to them end with.")] = "cr",
) -> None:
    """From plain SIP2 machines to a library system that takes SIP2 over HTTPS only; until the process is stopped."""
    from connectors.circulation.sip2.bridge import Bridge
    from connectors.circulation.sip2.framing import ENDS

    try:
        "".encode(encoding)
    except LookupError:
        raise typer.BadParameter("no encoding is called so, such as latin-1 or cp850", param_hint="--encoding") from None

    async def run() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        found = Bridge(url, verify=str(ca) if ca else True, encoding=encoding, terminator=ENDS[terminator])
        print(json.dumps({"sip2": await found.listen(host, port)}), flush=True)
        await stop.wait()
        await found.close()

    if not url.startswith("https://"):
        raise typer.BadParameter("passwords and cards go over it: it begins with https://", param_hint="URL")
    _told(lambda: asyncio.run(run()))


@app.command()
def record(
    upstream: Annotated[str, typer.Argument(help="Where the library system listens that the machines use today: host:port.")],
    file: Annotated[Path, typer.Argument(help="What to write; it must not be there yet.")],
    port: Port = 6001,
    host: Host = "127.0.0.1",
) -> None:
    """Stand between a kiosk and its library system, change nothing, and write down what they say; until the process is stopped."""
    from connectors.circulation.sip2.recording import Recorder

    there, _, number = upstream.rpartition(":")
    if not there or not number.isdecimal():
        raise typer.BadParameter("it is host:port", param_hint="UPSTREAM")

    async def run() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for one in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(one, stop.set)
        found = Recorder(there, int(number), file)
        print(json.dumps({"sip2": await found.listen(host, port)}), flush=True)
        await stop.wait()
        await found.close()
        console.print(f"{found.lines:,} lines in {file}: personal data, without passwords and PINs", highlight=False)

    _told(lambda: asyncio.run(run()))


@app.command()
def shadow(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A recording.")],
    port: Port = 6001,
    host: Host = "127.0.0.1",
    login: str = "selfcheck1",
    password: Annotated[str, typer.Option(envvar="BINDERY_KIOSK_PASSWORD")] = "secret",  # noqa: S107 - the demo's
    timezone: Annotated[str, typer.Option(help="The library's.")] = "Europe/Copenhagen",
    words: Annotated[bool, typer.Option("--words", help="Compare the words on the screen too.")] = False,
) -> None:
    """Ask a server of ours what was recorded, and say where its answers differ from the old system's. Status 1 when some do.

    The server lends and takes back: give it a store of its own (another BINDERY_HOME), loaded as the library was when the recording began.
    """
    from zoneinfo import ZoneInfo

    import yaml

    from connectors.circulation.sip2 import shadow as shadowing
    from connectors.circulation.sip2.client import Client
    from connectors.circulation.sip2.recording import read
    from connectors.circulation.sip2.table import FIELDS, MESSAGES

    async def run() -> None:
        said = list(read(file))
        client = await Client.connect(host, port)
        if (await client.ask("93", {}, {"CN": login, "CO": password})).fixed.get("ok") != "1":
            raise PermissionError(f"the login {login!r} was refused")
        report = await shadowing.ask_again(shadowing.pairs(said), client, ZoneInfo(timezone), words=words)
        await client.close()
        table = Table("message", "asked", "alike", "what differs", "how often", "theirs", "ours")
        for code, asked in sorted(report.asked.items()):
            table.add_row(f"{code} {MESSAGES[code].name}", f"{asked:,}", f"{report.alike[code]:,}")
            for (of, what), count in report.differences.most_common():
                if of == code:
                    name = f"{what} {FIELDS[what].name}" if what in FIELDS else what
                    table.add_row("", "", "", name, f"{count:,}", *shadowing.shown(report.examples[of, what]))
        console.print(table)
        console.print("A profile may begin with:\n" + yaml.safe_dump(shadowing.proposed(said, report), sort_keys=False), highlight=False)
        if report.differences:
            raise typer.Exit(1)

    _told(lambda: asyncio.run(run()))


@app.command(name="borrower-check")
def borrower_check(
    library: Annotated[str, typer.Argument(help="The library number of the patron's branch, such as 710100.")],
    requester: Annotated[str, typer.Option(help="The name that DBC knows the asking service by.")],
    user: Annotated[str, typer.Option(prompt="Card or civil number", hide_input=True, help="Asked for, so that no shell remembers it.")],
    pin: Annotated[str, typer.Option(prompt="PIN (may be empty)", hide_input=True, prompt_required=True)] = "",
    url: Annotated[str, typer.Option(help="Of the service.")] = "https://borchk.addi.dk/3.1/soap",
    ca: Annotated[Path | None, typer.Option(exists=True, help="PEM: who signed its certificate, when no public authority did.")] = None,
) -> None:
    """Ask DBC's borrower check whether somebody is a library's patron. The answer is one word of its schema; 'ok' ends with 0."""
    from connectors.circulation.borchk.client import Client

    async def run() -> str:
        async with Client(url, requester, verify=str(ca) if ca else True) as client:
            return (await client.check(library, user, pin or None)).status

    def told() -> None:
        status = asyncio.run(run())
        print(status)
        if status != "ok":
            raise typer.Exit(1)

    if not url.startswith("https://"):
        raise typer.BadParameter("PINs and cards go over it: it begins with https://", param_hint="--url")
    _told(told)


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


def _told(work: Callable[[], None]) -> None:
    """Errors of ours are for the reader, not a traceback."""
    try:
        work()
    except (BinderyError, OSError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
