"""Koha's SIP2 server, as far as a return needs it: login (93), status (99), checkin (09). A reader and writer of its own, so that it is
a second opinion on ours.

Source: Koha's C4::SIP (Sip/MsgType.pm, ILS.pm, ILS/Transaction/Checkin.pm): ok with `alert`, CV 01 for a hold here, 02 for a hold elsewhere,
04 for another branch, 00 or nothing else; CT where it goes, CY and DA the hold's patron.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socket import SHUT_RDWR

from include.sandbox.servers.ils import Library
from include.sandbox.servers.ports import HOST


class SipServer:
    """The server; `accounts` are logins with password and branch. `drop` closes so many connections after the work is done, unanswered;
    `busy` answers so many returns with its status instead, and does nothing."""

    def __init__(self, library: Library, accounts: dict[str, tuple[str, str]] | None = None) -> None:
        self.library = library
        self.accounts = accounts or {"sidecar": ("secret", "main")}
        self.drop = 0
        self.busy = 0
        self.asked: list[str] = []
        self._open: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Close every connection, as a firewall does with idle ones."""
        for writer in list(self._open):
            writer.get_extra_info("socket").shutdown(SHUT_RDWR)

    @contextmanager
    def serving(self, port: int = 0) -> Iterator[int]:
        """Serve until the block ends; yields the port."""
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(asyncio.start_server(self._converse, HOST, port))
        thread = threading.Thread(target=loop.run_forever, name="koha-sip", daemon=True)
        thread.start()
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            loop.call_soon_threadsafe(server.close)
            asyncio.run_coroutine_threadsafe(_ended(), loop).result(60)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(60)
            loop.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        branch: str | None = None
        self._open.add(writer)
        try:
            while line := (await reader.readuntil(b"\r")).strip(b"\r\n").decode():
                self.asked.append(line[:2])
                if line[:2] == "93":
                    fields = _fields(line[4:])
                    password, there = self.accounts.get(fields.get("CN", ""), ("", ""))
                    branch = there if password and password == fields.get("CO") else None
                    answer = f"94{int(branch is not None)}"
                elif branch is None:
                    return
                elif line[:2] == "09" and not self.busy:
                    answer = self._checkin(_fields(line[39:]), branch)
                    if self.drop:
                        self.drop -= 1
                        return
                else:
                    self.busy -= self.busy > 0 and line[:2] == "09"
                    answer = f"98YYYYYY500005{self._stamp()}2.00AO{branch}|BXYYYYYYYYYYYYYYYY|"
                writer.write(answer.encode() + b"\r")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            self._open.discard(writer)
            writer.close()

    def _checkin(self, fields: dict[str, str], branch: str) -> str:
        barcode = fields.get("AB", "")
        copy = self.library.copies.get(barcode)
        head = f"{self._stamp()}AO{fields.get('AO', '')}|AB{barcode}|"
        if copy is None:
            return f"100NUY{head}AQ|CV99|AFInvalid Item|"
        if copy.state == "withdrawn":
            return f"100NUY{head}AQ{copy.home}|AJ{copy.title}|CV99|AFItem withdrawn, return not allowed|"
        loan, hold = self.library.take_back(copy, fields.get("AP") or branch)
        tail = f"AQ{copy.home}|AJ{copy.title}|" + (f"AA{loan.patron.card}|" if loan else "AFItem not checked out|")
        ok = int(loan is not None)  # as it is without `checked_in_ok` in the account
        if hold is not None:
            kind = "01" if hold.status == "waiting" else "02"
            return f"10{ok}YUY{head}{tail}CV{kind}|CT{hold.pickup}|CY{hold.patron.card}|DA{hold.patron.name}|"
        if copy.state == "transit":
            return f"10{ok}YUY{head}{tail}CV04|CT{copy.goes_to}|"
        return f"10{ok}YUN{head}{tail}"

    def _stamp(self) -> str:
        return f"{self.library.now().astimezone(self.library.zone):%Y%m%d    %H%M%S}"


def _fields(text: str) -> dict[str, str]:
    return {part[:2]: part[2:] for part in text.split("|") if len(part) >= 2}


async def _ended() -> None:
    """End every conversation of this loop."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
