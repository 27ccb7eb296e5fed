"""The commands `serve` and `index`. Cheap to import: what they need is imported when they run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from include.engine.errors import BinderyError, Unreachable

if TYPE_CHECKING:
    from connectors.oai_pmh.provider.libraries import Catalogue
    from connectors.oai_pmh.provider.repository import Repository

DEMO = {
    "BINDERY_OAI_ADMIN": "oai@bindery.example",
    "BINDERY_OAI_DOMAIN": "bindery.example",
    "BINDERY_OAI_NAME": "Lindeby Biblioteker (made up)",
}
_CHILD = "BINDERY_OAI_CHILD"  # set for an index process that is to end with the one that started it
_GRACE = 10  # seconds that a stop waits for pages that are on their way
_PAUSE = 5.0  # seconds before an index process that ended is started again

Every = Annotated[float, typer.Option(min=0.2, envvar="BINDERY_OAI_EVERY", help="Seconds between two looks at the lake.")]


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one, and says which.")] = 8100,
    host: Annotated[str, typer.Option(help="0.0.0.0 for all the machine's addresses.")] = "127.0.0.1",
    demo: Annotated[bool, typer.Option("--demo", help="Serve the sandbox's made-up library, without a lake.")] = False,
    page: Annotated[int, typer.Option(min=1, max=5000, help="Records a page.")] = 500,
    rate: Annotated[float, typer.Option(min=0, help="Requests a second and client; 0 is no limit.")] = 50.0,
    every: Every = 30.0,
    index: Annotated[bool, typer.Option("--index/--no-index", help="Keep the index too, in a process of its own.")] = True,
    proxy: Annotated[str, typer.Option(help="Addresses of proxies whose X-Forwarded-For is believed, with commas.")] = "",
) -> None:
    """Serve the lake's records over OAI-PMH at /oai."""
    with ExitStack() as stack:
        _told(lambda: _serve(stack, os.environ, port, host, demo, page, rate, every, index, proxy))


def index(
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the process is stopped.")] = False,
    every: Every = 30.0,
) -> None:
    """Bring the provider's index up to the lake's pinned version."""
    _told(lambda: _index(os.environ, follow, every))


def _serve(
    stack: ExitStack, environment: Mapping[str, str], port: int, host: str, demo: bool, page: int, rate: float, every: float, index: bool, proxy: str
) -> None:  # fmt: skip
    import uvicorn

    from connectors.oai_pmh.provider.app import application

    listening = _listen(host, port)
    stack.callback(listening.close)
    url = f"http://{host if host != '0.0.0.0' else 'localhost'}:{listening.getsockname()[1]}/oai"  # noqa: S104
    if demo:
        repository = _demo(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="oai_"))), environment, url, page, rate)
    else:
        repository = _of_lake(environment, url, page, rate)
        if index:
            stack.callback(_keep_indexing(every))
    config = uvicorn.Config(
        application(repository),
        http="h11",  # its limit on a request's head holds against whoever sends an endless one
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
        limit_concurrency=1000,
        proxy_headers=bool(proxy),
        forwarded_allow_ips=proxy or None,
    )
    print(f"Serving OAI-PMH at {url}", flush=True)
    uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> Any:
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)  # whoever reads our address may ask at once, and waits until we answer
    except OSError as error:
        listening.close()
        do = "Give another --port, or stop what has it." if port else "Give another --host."
        raise Unreachable(f"{host}:{port} cannot be listened on ({error.strerror}).", do=do, code="OAI_PORT_TAKEN") from None
    return listening


def _demo(folder: Path, environment: Mapping[str, str], url: str, page: int, rate: float) -> Repository:
    import secrets

    from connectors.oai_pmh.provider import follow
    from connectors.oai_pmh.provider.demo import demo_catalogue
    from connectors.oai_pmh.provider.index import file_in
    from connectors.oai_pmh.provider.repository import KEY_BYTES, Repository, keys_of

    file = file_in(folder)
    follow.bring_up(file, demo_catalogue, ())
    keys = keys_of(environment["BINDERY_OAI_KEY"]) if environment.get("BINDERY_OAI_KEY") else (secrets.token_bytes(KEY_BYTES),)
    return Repository.of_environment({**DEMO, **environment}, file, keys=keys, url=url, page=page, rate=rate)


def _of_lake(environment: Mapping[str, str], url: str, page: int, rate: float) -> Repository:
    from connectors.oai_pmh.provider.repository import Repository

    return Repository.of_environment(environment, _file(environment), keys=_keys(environment), url=url, page=page, rate=rate)


def _keys(environment: Mapping[str, str]) -> tuple[bytes, ...]:
    """The key that signs tokens: the environment's, so that what faces the world need not hold the master key; else the key store's."""
    from connectors.oai_pmh.provider.repository import keys_of

    if environment.get("BINDERY_OAI_KEY"):
        return keys_of(environment["BINDERY_OAI_KEY"])
    from include.engine.credentials import EnvironmentCredentials
    from include.engine.engine import Engine

    store = Engine.open(EnvironmentCredentials(environment), {}, environment).keys
    return (store.ensure("oai_token", "provider").secret,)


def _keep_indexing(every: float) -> Callable[[], None]:
    """Run `index --follow` beside this process, again should it end; what is returned stops it."""
    command = [sys.executable, "-m", "connectors.oai_pmh.provider.serve", "index", "--follow", "--every", str(every)]
    stop = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def keep() -> None:
        while not stop.is_set():
            # Its standard input ends with this process, however that ends, and with it the child.
            with subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, _CHILD: "1"}) as child:
                running[:] = [child]
                if stop.is_set():
                    child.terminate()
                child.wait()
            stop.wait(_PAUSE)

    def end() -> None:
        stop.set()
        for child in running:
            child.terminate()
        keeper.join()

    keeper = threading.Thread(target=keep, name="oai-index", daemon=True)
    keeper.start()
    return end


def _index(environment: Mapping[str, str], follow: bool, every: float) -> None:
    from connectors import flow_models
    from connectors.oai_pmh.provider import follow as following
    from connectors.oai_pmh.provider import queries
    from connectors.oai_pmh.provider.libraries import catalogue
    from include.engine.credentials import EnvironmentCredentials
    from include.engine.engine import Engine

    saved = Path(environment["BINDERY_OAI_SETS"]) if environment.get("BINDERY_OAI_SETS") else None
    engine = Engine.open(EnvironmentCredentials(environment), flow_models(), environment)
    file = _file(environment)

    def wanted() -> Catalogue:
        return catalogue(engine)

    if follow:
        queries.load(saved)  # so that a mistake is told at the start
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # every state of the index is a good one to stop in
        signal.signal(signal.SIGINT, lambda *_: os._exit(0))
        if environment.get(_CHILD):
            threading.Thread(target=_end_with_parent, daemon=True).start()
        following.follow(file, wanted, lambda: queries.load(saved), every, stop, lambda line: print(line, flush=True))
        return
    with following.only_writer(file), _progress() as tick:
        done = following.bring_up(file, wanted, queries.load(saved), tick)
    print(f"{done.changed:,} records are new or changed, {done.deleted:,} are deleted; MARC that cannot be read: {done.unusable:,}.")


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """A counter of the records read, where somebody looks."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with Progress(SpinnerColumn(), TextColumn("{task.completed:,.0f} records"), TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("")
        yield lambda count: progress.advance(task, count)


def _end_with_parent() -> None:
    """The parent holds the other end of the standard input: it ends when the parent does."""
    while sys.stdin.buffer.read(1):
        pass
    os._exit(0)


def _file(environment: Mapping[str, str]) -> Path:
    """The index: in `BINDERY_OAI_INDEX`, which may be another volume than the home, or in the home's folder oai/."""
    from connectors.oai_pmh.provider.index import file_in
    from include.engine.engine import ROOT

    home = Path(environment.get("BINDERY_HOME") or ROOT / ".bindery")
    return file_in(Path(environment.get("BINDERY_OAI_INDEX") or home / "oai").absolute())


def _told(work: Callable[[], None]) -> None:
    """Errors as words: what, where, what to do; exit status 1."""
    try:
        work()
    except BinderyError as error:
        print(error, file=sys.stderr, flush=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, help=__doc__)
    app.command()(serve)
    app.command()(index)
    app()
