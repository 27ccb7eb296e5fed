"""The sidecar as a process: SIP2 on its ports, /health and /metrics over HTTP, settings read afresh when their files change."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import ssl
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.circulation import netmusik
from connectors.circulation.backend import Away
from connectors.circulation.doors import Doors
from connectors.circulation.embedded.backend import Embedded, opened
from connectors.circulation.embedded.rules import Rules
from connectors.circulation.embedded.terms import Terms
from connectors.circulation.ending import Ending
from connectors.circulation.forwarding import Forwarding
from connectors.circulation.forwarding.keeping import keep as keep_telling
from connectors.circulation.forwarding.keeping import take_closed
from connectors.circulation.forwarding.pages import routes as conflict_routes
from connectors.circulation.forwarding.pages import status as forwarding_status
from connectors.circulation.ils import configured
from connectors.circulation.keeping import keep, retire_segments, take_fills
from connectors.circulation.metrics import Metrics
from connectors.circulation.ncip import route as ncip
from connectors.circulation.pinfile import take_pins
from connectors.circulation.room import make_room
from connectors.circulation.sip2 import https
from connectors.circulation.sip2.server import Limits, Server
from connectors.circulation.sip2.session import House
from connectors.circulation.terminals import Terminals
from connectors.circulation.webs import Web
from include.engine.credentials import EnvironmentCredentials
from include.engine.crypto.keys import KeyStore
from include.engine.errors import SettingsError

log = logging.getLogger("bindery.circulation")

COMMIT_SECONDS = 0.5
LOOK_SECONDS = 2.0
_SETTINGS = ("terminals.yaml", "rules.yaml", "doors.yaml")
PROFILES = "profiles"
"""Where in the sidecar's folder a site's own profiles lie."""


@dataclass(frozen=True)
class Ports:
    """Where to listen; 0 takes a free port, None none. `certificate` and `key` are PEM files for TLS; `clients` signs client certificates.

    `ncip` is NCIP and Netmusik without TLS, for a proxy on this machine; with TLS they are on `https`.
    """

    host: str = "127.0.0.1"
    sip2: int | None = 6001
    sip2_tls: int | None = None
    http: int = 8200
    https: int | None = None
    ncip: int | None = None
    certificate: Path | None = None
    key: Path | None = None
    clients: Path | None = None


async def serve(folder: Path, keys: KeyStore, ports: Ports, limits: Limits | None = None) -> None:
    """Serve until SIGTERM or SIGINT; then finish what was asked, keep everything, and return."""
    make_room()
    seen = _times(folder)  # before they are read: what changes meanwhile is read again
    terminals = Terminals.load(folder / "terminals.yaml")
    rules = Rules.load(folder / "rules.yaml") if (folder / "rules.yaml").exists() else Rules(timezone=terminals.timezone)
    ils = configured(folder)
    backend = ils.forwarding(folder, keys, rules, EnvironmentCredentials()) if ils else opened(folder, keys, rules)
    house = House(backend, terminals, terminals.profiles(folder / PROFILES), Metrics(), doors=_doors(folder))
    house.metrics.journal.set_function(lambda: backend.store.applied if isinstance(backend, Embedded) else backend.state.applied)
    server = Server(house, limits)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tasks: list[asyncio.Task[None]] = []
    webs: dict[str, Web] = {}
    found: dict[str, int] = {}
    try:
        if ports.sip2 is not None:
            found["sip2"] = await server.listen(ports.host, ports.sip2)
        if ports.sip2_tls is not None:
            found["sip2_tls"] = await server.listen(ports.host, ports.sip2_tls, tls_context(ports))
        machines, doors = Starlette(routes=[https.route(house), *doors_of(house)]), Starlette(routes=doors_of(house))
        for name, port, app in (
            ("http", ports.http, pages(house, server, found)),
            ("https", ports.https, machines),
            ("ncip", ports.ncip, doors),
        ):
            if port is not None:
                webs[name] = Web(Ending(app, stop), closed=partial(_closed, house.metrics, name))
                found[name] = await webs[name].listen(
                    ports.host, port, tls_context(replace(ports, clients=None)) if name == "https" else None
                )
                tasks.append(webs[name].task)
        tasks.append(loop.create_task(_reread(folder, house, backend, seen)))
        if isinstance(backend, Embedded):
            tasks += [loop.create_task(_close_conflicts(backend, folder)), loop.create_task(keep(backend, COMMIT_SECONDS))]
        else:
            tasks.append(loop.create_task(keep_telling(backend, folder, house.metrics.registry)))
        filled = backend if isinstance(backend, Embedded) else backend.copy
        tasks += [loop.create_task(take_fills(folder, keys, filled)), loop.create_task(take_pins(folder, filled))]
        tasks.append(loop.create_task(retire_segments(folder, keys, backend)))
        _calmly()
        print(json.dumps(found), flush=True)
        waiting = loop.create_task(stop.wait())
        done, _ = await asyncio.wait({waiting, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        for one in done - {waiting}:
            one.result()
    finally:
        stop.set()
        for web in webs.values():
            web.end()
        await server.close()
        if tasks:  # the first are the webs, which end once they have answered what was asked
            await asyncio.wait(tasks[: len(webs)], timeout=server.limits.drain_s)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if isinstance(backend, Embedded):
            backend.close()
        else:
            await backend.close()
        house.pins.close()


def _calmly() -> None:
    """What the process has now stays for good: the collector of cycles need not look at it, and stop everybody for a tenth of a second, each
    time. A thread that has waited for the disk gets its turn within half a millisecond instead of five: machines wait for it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    sys.setswitchinterval(0.0005)


def _closed(metrics: Metrics, port: str, why: str) -> None:
    metrics.webs_closed.labels(port, why).inc()


async def _close_conflicts(backend: Embedded, folder: Path) -> None:
    """Close now and then what staff have closed."""
    while True:
        await asyncio.sleep(COMMIT_SECONDS)
        with suppress(Away):  # they lie there until the store is back
            await take_closed(backend, folder)


async def _reread(folder: Path, house: House, backend: Embedded | Forwarding, before: dict[Path, int]) -> None:
    """Take changed settings over, from each terminal's next login on. A file that is wrong is told of, and all the old settings stay.

    `before`: when the files that are in use were last changed.
    """
    files = [folder / name for name in _SETTINGS]
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        now = _times(folder)
        if now == before:
            continue
        before = now
        try:
            terminals = Terminals.load(files[0])
            profiles = terminals.profiles(folder / PROFILES)
            rules, doors = Rules.load(files[1]) if files[1].exists() else None, _doors(folder)
        except SettingsError as error:
            log.error("the settings stay as they were: %s", error)
            continue
        house.terminals, house.profiles, house.doors = terminals, profiles, doors
        if rules is not None:
            backend.terms = Terms(rules)
        log.info("the settings were read afresh: %d terminals", len(terminals.terminals))


def doors_of(house: House) -> list[Route]:
    """What other systems ask over HTTP: NCIP with lånertjek, and Netmusik."""
    return [ncip.route(house), *netmusik.routes(house)]


def _doors(folder: Path) -> Doors | None:
    file = folder / "doors.yaml"
    return Doors.load(file) if file.exists() else None


def _times(folder: Path) -> dict[Path, int]:
    """When each file of settings was last changed; one may go while it is looked at, for editors put another in its place."""
    found = {}
    for file in (*(folder / name for name in _SETTINGS), *sorted((folder / PROFILES).glob("*.yaml"))):
        with suppress(FileNotFoundError):
            found[file] = file.stat().st_mtime_ns
    return found


def tls_context(ports: Ports) -> ssl.SSLContext:
    """TLS 1.2 or newer. With `clients`, a terminal may show a certificate of theirs; one that is shown must be right."""
    if ports.certificate is None or ports.key is None:
        raise SettingsError("TLS needs --certificate and --key.", do="Give both, or leave --sip2-tls-port and --https-port out.")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(ports.certificate, ports.key)
        if ports.clients is not None:
            context.load_verify_locations(ports.clients)
            context.verify_mode = ssl.CERT_OPTIONAL
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"the certificate or its key cannot be used ({error}).", do="Give PEM files that belong together.") from error
    return context


def pages(house: House, server: Server, ports: dict[str, int]) -> Starlette:
    """/health for whoever watches the process, /metrics for Prometheus. `ports` are those that it listens on, by name."""

    async def health(_: Request) -> Response:
        online = await house.backend.online()
        found: dict[str, object] = {"online": online, "connections": len(server.connections), "pid": os.getpid(), "ports": ports}
        if isinstance(house.backend, Forwarding):
            found |= forwarding_status(house.backend)
        return JSONResponse(found, status_code=200 if online else 503)

    async def metrics(_: Request) -> Response:
        return Response(house.metrics.page(), media_type="text/plain; version=0.0.4")

    more = conflict_routes(house.backend) if isinstance(house.backend, Forwarding) else []
    return Starlette(routes=[Route("/health", health), Route("/metrics", metrics), *more])
