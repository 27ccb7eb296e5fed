"""Posthus as far as DBC has told of it: FTP (pyftpdlib), data files and transfiles in `datain/`, mails about faults, and files decrypted.

What is known (docs/flows/adhl_upload.md): user ftp and any password; a data file is taken only once a transfile names it that holds its end
marker; then both are gone. The transfile rules are written down here a second time, by intention: a stand-in that shared them with the client
could not notice a mistake in them. What it took lies in `taken/`: `<data file>` as it came, and `<data file>.lines` decrypted.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from pyftpdlib.authorizers import AuthenticationFailed, DummyAuthorizer
from pyftpdlib.handlers import DTPHandler, FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.log import logger
from pyftpdlib.servers import FTPServer

from include.engine import clock
from include.engine.crypto.envelope import decrypt
from include.engine.errors import BinderyError
from include.sandbox.servers.ports import HOST

logger.addHandler(logging.NullHandler())  # or else pyftpdlib writes every session onto the terminal of whoever started it
logger.setLevel(logging.WARNING)

FAULTS = frozenset({"refuse", "full", "drop_data", "no_transfer", "drop_transfer", "drop_after_transfer", "no_size", "short", "idle"})
"""refuse: no login; full: 552 for every file; drop_data: the line goes dead in the middle of a data file; no_transfer: takes data files and no
transfile; drop_transfer: dead in the middle of a transfile; drop_after_transfer: dead when it has a transfile, before it says so; no_size: knows
no SIZE; short: keeps only half of a data file and says nothing; idle: takes files and does nothing with them."""
SUBJECT = "Fejlmeddelelse fra DanBibs Posthus"
_NAME = re.compile(r"^[-\w.%]*$")
_TRANS = re.compile(r"\.(trans|trs)$")


@dataclass
class Posthus:
    """A running posthus. `faults` may be changed while it runs; `mails` are what it sent, each (address, text)."""

    folder: Path
    port: int
    secrets: dict[str, bytes]
    agencies: frozenset[str]
    faults: set[str] = field(default_factory=set)
    mails: list[tuple[str, str]] = field(default_factory=list)
    post: Callable[[EmailMessage], None] | None = None
    transfers: list[str] = field(default_factory=list)
    _alone: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def connection_uri(self) -> str:
        """As Airflow reads it from AIRFLOW_CONN_<ID>."""
        return f"ftp://ftp:anything@{HOST}:{self.port}/?timeout=60"

    @property
    def inbox(self) -> Path:
        return self.folder / "datain"

    @property
    def taken(self) -> Path:
        return self.folder / "taken"

    def lines(self, agency: str = "") -> list[str]:
        """Every line that was taken, decrypted, of one library or of all; in the order in which it was taken, and as often."""
        found: list[str] = []
        for file in sorted(self.taken.glob(f"*-{agency}*.lines")):
            found += file.read_text("latin-1").splitlines()
        return found

    def look(self) -> None:
        """Take what is complete, as the server does after each file."""
        with self._alone:
            for file in sorted(self.inbox.iterdir()) if "idle" not in self.faults else ():
                if _TRANS.search(file.name) and "slut" in file.read_text("latin-1").split():
                    self._take(file)

    def _take(self, trans: Path) -> None:
        content, number = trans.read_text("latin-1"), len(self.transfers)
        self.transfers.append(trans.name)
        trans.unlink()
        fields = dict(one.partition("=")[::2] for one in content.splitlines()[0].split(","))
        fault = self._fault(trans.name, fields)
        if fault is not None:
            self._complain(fields.get("m", ""), trans.name, fault)
            return
        data = self.inbox / fields["f"]
        kept = self.taken / f"{number:05d}-{trans.name.removesuffix('.trans')}.data"
        data.replace(kept)
        for scheme, secret in self.secrets.items():
            try:
                with kept.open("rb") as sealed:
                    decrypt("cms" if scheme.startswith("cms") else "openpgp", sealed, secret, kept.with_suffix(".lines"))
                return
            except (BinderyError, ValueError):
                continue
        self._complain(fields.get("m", ""), trans.name, f"Datafilen kan ikke dekrypteres: {data.name}")

    def _fault(self, name: str, fields: dict[str, str]) -> str | None:
        if re.search(r"\s", name):
            return f"Transfilnavn indeholder blanktegn: {name}"
        if name[:6] not in self.agencies:
            return f"Transfilnavn har ugyldigt biblioteksnummer '{name[:6]}'"
        if "f" not in fields:
            return "Datafil angivelse mangler i transfilen"
        if not _NAME.fullmatch(fields["f"]):
            return f"Datafilnavn {fields['f']} indeholder ulovlige tegn"
        if not (self.inbox / fields["f"]).exists():
            return f"Kan ikke finde datafilen: {fields['f']}"
        return None

    def _complain(self, address: str, name: str, words: str) -> None:
        self.mails.append((address, f"{name}: {words}"))
        if self.post is not None:
            self.post(complaint(name, words, address))


def complaint(name: str, words: str, address: str = "") -> EmailMessage:
    """The mail that posthus writes about a transfile."""
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = SUBJECT, "posthus@dbc.example", address or "drift@example.dk"
    message["Date"] = clock.now()
    message.set_content(f"Transfil: {name}\n{words}\n")
    return message


@contextmanager
def posthus_server(
    folder: Path,
    secrets: dict[str, bytes],
    *,
    agencies: frozenset[str] = frozenset({"799001", "899002"}),
    port: int = 0,
    faults: set[str] | None = None,
    post: Callable[[EmailMessage], None] | None = None,
) -> Iterator[Posthus]:
    """Serve until the block ends, in a thread of this process. `secrets` are the keys that it can open files with, by scheme (`openpgp`, `cms`,
    or either with something behind it); `post` is where its mails go."""
    there = Posthus(folder, port, secrets, agencies, set(faults or ()), post=post)
    there.inbox.mkdir(parents=True, exist_ok=True)
    there.taken.mkdir(exist_ok=True)
    handler, loop = _handler(there), IOLoop()
    server = FTPServer((HOST, port), handler, ioloop=loop)
    there.port = server.address[1]
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            loop.loop(timeout=0.05, blocking=False)
        server.close_all()

    thread = threading.Thread(target=run, name="posthus", daemon=True)
    thread.start()
    try:
        yield there
    finally:
        stop.set()
        thread.join(timeout=10)


def _handler(there: Posthus) -> type[FTPHandler]:
    """The FTP side: the faults, and a look after each file that came whole."""

    class Authorizer(DummyAuthorizer):  # type: ignore[misc]
        def validate_authentication(self, username: str, password: str, handler: Any) -> None:
            if "refuse" in there.faults or not password:
                raise AuthenticationFailed("Login incorrect.")
            super().validate_authentication(username, "any", handler)

    class Data(DTPHandler):  # type: ignore[misc]
        def handle_read(self) -> None:
            trans = _TRANS.search(getattr(self.file_obj, "name", "") or "")
            if ("drop_transfer" if trans else "drop_data") not in there.faults:
                super().handle_read()
            elif self.file_obj is not None and not self.file_obj.closed:
                self.file_obj.write(self.recv(20))
                self.cmd_channel.close()  # and this with it

        handle_read_event = handle_read  # what the loop calls

    class Handler(FTPHandler):  # type: ignore[misc]
        authorizer = Authorizer()
        dtp_handler = Data
        banner = "DanBibs Posthus"
        use_sendfile = False
        auth_failed_timeout = 0.1

        def ftp_STOR(self, file: str, mode: str = "w") -> Any:
            if "full" in there.faults:
                self.respond("552 Insufficient storage space.")
                return None
            if "no_transfer" in there.faults and _TRANS.search(file):
                self.respond("553 Could not create file.")
                return None
            return super().ftp_STOR(file, mode)

        def ftp_SIZE(self, path: str) -> Any:
            if "no_size" in there.faults:
                self.respond("502 Command not implemented.")
                return None
            return super().ftp_SIZE(path)

        def on_file_received(self, file: str) -> None:
            path = Path(file)
            trans = _TRANS.search(path.name)
            if "short" in there.faults and not trans:
                with path.open("r+b") as kept:
                    kept.truncate(path.stat().st_size // 2)
            if "drop_after_transfer" in there.faults and trans:
                there.look()
                self.close()
            elif trans:
                # Not within the session: the client verifies first what it has stored.
                self.ioloop.call_later(0.2, there.look)

    Handler.authorizer.add_user("ftp", "any", str(there.folder), perm="elrwd")
    return Handler
