"""Commands beside the sidecar: a machine like those that it serves, what stands between one and its library system, and a check of a borrower."""

from __future__ import annotations

import asyncio
import json
import signal
import statistics
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from connectors.circulation.commands import Host, Port, console, told


def kiosk(
    host: Host = "127.0.0.1",
    port: Port = 6001,
    login: str = "selfcheck1",
    password: Annotated[str, typer.Option(envvar="BINDERY_KIOSK_PASSWORD")] = "secret",  # noqa: S107 - the demo's
    card: Annotated[list[str] | None, typer.Option(help="A patron's card; several for a load. Without one, the demo's.")] = None,
    item: Annotated[list[str] | None, typer.Option(help="A barcode; for a load one for each machine. Without one, the demo's.")] = None,
    pin: str = "",
    machines: Annotated[int, typer.Option(min=1, max=5000, help="More than one makes a load: loopback only.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, max=100_000)] = 1,
) -> None:
    """A simulated self-check: who is it, borrow, and give back; or the load of many machines."""
    from connectors.circulation.demo import PATRONS
    from connectors.circulation.kiosk import Kiosk
    from connectors.circulation.kiosk import load as many

    cards = card or [str(1_000_001 + number) for number in range(min(machines, PATRONS))]
    items = item or [str(3_000_001 + number) for number in range(machines)]

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
        machines_told = await many(host, port, [(login, password)], cards, items, kiosks=machines, rounds=rounds)
        seconds = sorted(one for machine in machines_told for one in machine.seconds)
        console.print(
            f"{len(seconds):,} answers; p50 {statistics.median(seconds) * 1000:.1f} ms, p99 {seconds[len(seconds) * 99 // 100] * 1000:.1f} ms; "
            f"{sum(one.ok for one in machines_told):,} ok, {sum(one.refused for one in machines_told):,} refused",
            highlight=False,
        )

    if machines > 1 and host not in ("127.0.0.1", "localhost", "::1"):
        raise typer.BadParameter("a load goes to this machine alone", param_hint="--host")
    if machines > len(items):
        raise typer.BadParameter(f"each of {machines:,} machines needs one of its own, and there are {len(items):,}", param_hint="--item")
    told(lambda: asyncio.run(load_of_many() if machines > 1 else once()))


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
    from connectors.circulation.room import make_room
    from connectors.circulation.sip2.bridge import Bridge
    from connectors.circulation.sip2.framing import ENDS

    try:
        "".encode(encoding)
    except LookupError:
        raise typer.BadParameter("no encoding is called so, such as latin-1 or cp850", param_hint="--encoding") from None

    async def run() -> None:
        make_room()
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        found = Bridge(url, verify=str(ca) if ca else True, encoding=encoding, terminator=ENDS[terminator])
        print(json.dumps({"sip2": await found.listen(host, port)}), flush=True)
        await stop.wait()
        await found.close()

    if not url.startswith("https://"):
        raise typer.BadParameter("passwords and cards go over it: it begins with https://", param_hint="URL")
    told(lambda: asyncio.run(run()))


def record(
    upstream: Annotated[str, typer.Argument(help="Where the library system listens that the machines use today: host:port.")],
    file: Annotated[Path, typer.Argument(help="What to write; it must not be there yet.")],
    port: Port = 6001,
    host: Host = "127.0.0.1",
) -> None:
    """Stand between a kiosk and its library system, change nothing, and write down what they say; until the process is stopped."""
    from connectors.circulation.room import make_room
    from connectors.circulation.sip2.recording import Recorder

    there, _, number = upstream.rpartition(":")
    if not there or not number.isdecimal():
        raise typer.BadParameter("it is host:port", param_hint="UPSTREAM")

    async def run() -> None:
        make_room()
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for one in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(one, stop.set)
        found = Recorder(there, int(number), file)
        print(json.dumps({"sip2": await found.listen(host, port)}), flush=True)
        await stop.wait()
        await found.close()
        console.print(f"{found.lines:,} lines in {file}: personal data, without passwords and PINs", highlight=False)

    told(lambda: asyncio.run(run()))


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

    told(lambda: asyncio.run(run()))


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

    def asked() -> None:
        status = asyncio.run(run())
        print(status)
        if status != "ok":
            raise typer.Exit(1)

    if not url.startswith("https://"):
        raise typer.BadParameter("PINs and cards go over it: it begins with https://", param_hint="--url")
    told(asked)
