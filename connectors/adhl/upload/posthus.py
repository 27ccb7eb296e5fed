"""Posthus, DBC's FTP server for deliveries: the data file first, then the transfile, and each verified by its size.

A data file without its transfile is never picked up, and a transfile is acted upon only once its last line is there (DBCDK/dataio,
gatekeeper). When posthus has taken a delivery, both files are gone from the folder. So a try that finds the transfile begun by an earlier one
can tell how far that got: both files lie there whole (it waits to be taken), the data file alone (the transfile has not come), or not even
that (it was taken); and nothing is sent, or counted, twice.
"""

from __future__ import annotations

import ftplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from connectors.adhl.settings import AdhlUpload
from connectors.adhl.upload.keys import recipients
from include.engine import clock
from include.engine.credentials import Connection
from include.engine.crypto.envelope.recipient import unusable
from include.engine.errors import BinderyError, Unreachable
from include.engine.ledger.parts import Part
from include.engine.outbound.connector import Sending, Work
from include.engine.reasons import words

T = TypeVar("T")
BLOCK = 1 << 16
TIMEOUT = 60.0
_ABSENT, _FULL, _UNKNOWN = ("550",), ("452", "552"), ("500", "501", "502", "504")


def send(work: Work, flow: AdhlUpload, sending: Sending) -> None:
    """Bring both files to posthus, as far as they are not there. Unreachable (a retry helps) whatever the server does wrong."""
    data, trans = sending.parts
    if trans.begun_at is None:
        _keys_still_hold(work, flow, data)
    with posthus(work.credentials.get(flow.posthus.connection), flow.posthus.folder) as there:
        again = trans.begun_at is not None
        if again and there.size(data.name) is None:
            _all_done(sending, data, trans, taken=True)
            return
        if data.done_at is None or there.size(data.name) != data.size:
            _put(there, sending, data, flow)
        if again and there.size(trans.name) == trans.size:
            _all_done(sending, data, trans)
            return
        _put(there, sending, trans, flow, again=again)


def _keys_still_hold(work: Work, flow: AdhlUpload, data: Part) -> None:
    """Before the first byte leaves: each key that the file was encrypted to may still be used, and is still the one that is meant."""
    now = {one.fingerprint: one.name for one in recipients(flow, work.credentials, clock.now())}
    if set(now) != set(data.facts["keys"]):
        raise unusable(
            flow.keys[0].connection, "the keys are others than when the file was encrypted; clear the task render", "RECIPIENT_WRONG"
        )


def _put(there: Server, sending: Sending, part: Part, flow: AdhlUpload, **facts: object) -> None:
    sending.begin(part, f"ftp://{flow.posthus.connection}/{'/'.join(filter(None, (flow.posthus.folder.strip('/'), part.name)))}")
    with sending.open(part) as plain:
        there.put(part.name, plain.read)
    found = there.size(part.name)
    if found is None and not part.binding:
        raise trouble("POSTHUS_SIZE", there.where, value=part.name, count=0, expected=part.size)
    if found is not None and found != part.size:  # a transfile may have been taken in the meantime
        raise trouble("POSTHUS_SIZE", there.where, value=part.name, count=found, expected=part.size)
    sending.done(part, **facts)


def _all_done(sending: Sending, *parts: Part, **facts: object) -> None:
    for part in parts:
        if part.done_at is None:
            sending.done(part, again=True, **facts)


class Server:
    """A login to an FTP server, in one folder."""

    def __init__(self, ftp: ftplib.FTP, where: str) -> None:
        self._ftp, self.where = ftp, where

    def put(self, name: str, read: Callable[[int], bytes]) -> None:
        """Store a file under `name`, over what lies there; `read(n)` gives its bytes, b"" at the end."""
        self._told(lambda: self._ftp.storbinary(f"STOR {name}", _Readable(read), BLOCK))  # type: ignore[arg-type]

    def size(self, name: str) -> int | None:
        """The size of a file in bytes; None where there is none. By SIZE, or where a server has it not by MLSD."""
        try:
            return self._ftp.size(name)
        except ftplib.error_perm as error:
            if str(error).startswith(_ABSENT):
                return None
            if not str(error).startswith(_UNKNOWN):
                raise refused(error, self.where) from error
        except (OSError, EOFError, ftplib.Error) as error:
            raise refused(error, self.where) from error
        found = self._told(lambda: dict(self._ftp.mlsd(facts=["size"]))).get(name)
        return None if found is None else int(found["size"])

    def _told(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (OSError, EOFError, ftplib.Error) as error:
            raise refused(error, self.where) from error


class _Readable:
    """What ftplib reads a file from."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self.read = read


@contextmanager
def posthus(connection: Connection, folder: str) -> Iterator[Server]:
    """Logged in to posthus, in `folder`, in binary. The user is ftp and any password will do, where the connection says nothing else."""
    where = f"connection {connection.id}"
    timeout = float(connection.text("timeout") or TIMEOUT)
    ftp = ftplib.FTP_TLS(context=ssl.create_default_context(), timeout=timeout) if connection.flag("tls") else ftplib.FTP(timeout=timeout)  # noqa: S321 - posthus speaks plain FTP; what goes over it is encrypted
    try:
        try:
            ftp.connect(connection.host, connection.port or ftplib.FTP_PORT)
            ftp.login(connection.login or "ftp", connection.password or "bindery")
            if isinstance(ftp, ftplib.FTP_TLS):
                ftp.prot_p()
            if folder:
                ftp.cwd(folder)
            ftp.voidcmd("TYPE I")
        except (OSError, EOFError, ftplib.Error) as error:
            raise refused(error, where) from error
        yield Server(ftp, where)
    finally:
        ftp.close()


def refused(error: BaseException, where: str) -> BinderyError:
    """What went wrong with the server, in our words: its own are quoted by their number alone, for they may name files."""
    number = str(error)[:3] if isinstance(error, ftplib.Error) else ""
    if number in _FULL:
        return trouble("POSTHUS_FULL", where, value=number)
    return trouble("POSTHUS_UNREACHABLE", where, value=number or type(error).__name__)


def trouble(code: str, where: str, **values: object) -> Unreachable:
    """Trouble that another try may mend."""
    do = "It is tried again; if it goes on, ask DBC (kundeservice)."
    return Unreachable(words(code, "en", **values), where=where, do=do, code=code, values=values)
