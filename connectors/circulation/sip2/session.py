"""One connection's conversation: login, error detection, resends, and one answer for each line, in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter

from connectors.circulation.backend import Away, Backend
from connectors.circulation.doors import Doors
from connectors.circulation.journal import JournalFailed
from connectors.circulation.lockout import Guarded, Lockout
from connectors.circulation.logs import MESSAGES
from connectors.circulation.metrics import Metrics
from connectors.circulation.pins import NOBODY, Pins
from connectors.circulation.profile import Profile
from connectors.circulation.sip2.answering import ANSWERS, acs_status, answered, away, line
from connectors.circulation.sip2.codec import Parsed, Unreadable, delimiter_of, parse
from connectors.circulation.sip2.context import Context
from connectors.circulation.sip2.framing import ENDS, opened, sealed
from connectors.circulation.sip2.masking import masked
from connectors.circulation.terminals import Terminal, Terminals
from include.engine import clock

log = logging.getLogger("bindery.circulation")
traced = logging.getLogger(MESSAGES)

WRONG_LOGINS = 3
"""After so many a connection ends."""


class Over(Exception):
    """The connection is to be closed once `last` is sent."""

    def __init__(self, why: str, last: bytes = b"") -> None:
        super().__init__(why)
        self.last = last


@dataclass
class House:
    """What all conversations share. `present` counts the connections of each terminal; `terminals` and `doors` are replaced when their files change."""

    backend: Backend
    terminals: Terminals
    profiles: dict[str, Profile]
    metrics: Metrics
    lockout: Lockout = field(default_factory=Lockout)
    pins: Pins = field(default_factory=Pins)
    present: dict[str, int] = field(default_factory=dict)
    doors: Doors | None = None
    now: Callable[[], datetime] = clock.now

    def context(self, login: str, terminal: Terminal | None) -> Context:
        """What answers to this terminal are made with; without one, what a machine may know before it has logged in."""
        everyone = self.terminals
        return Context(
            backend=Guarded(self.backend, self.lockout, login),
            terminal=login,
            profile=self.profiles.get(login) or Profile(),
            institution=(terminal.institution if terminal else None) or everyone.institution,
            library=everyone.name,
            zone=everyone.zone,
            language=(terminal.language if terminal else None) or everyone.language,
            branch=terminal.branch if terminal else "",
            location=terminal.location if terminal else "",
            now=self.now,
        )

    async def admitted(self, login: str, password: str, address: str) -> Terminal | None:
        """The terminal with this login, password and address; None for anybody else, and the log says why: whoever sets a machine up needs it."""
        terminal = self.terminals.terminals.get(login)
        # The hash is computed for an unknown login too: the time it takes must not tell which logins there are.
        right = await self.pins.right(password, terminal.password if terminal else NOBODY)
        if terminal is None:
            log.warning("a login from %s was refused: no terminal is called so", address)
        elif not right:
            log.warning("a login of terminal %s from %s was refused: another password", login, address)
        elif not terminal.may_come_from(address):
            log.warning("a login of terminal %s from %s was refused: that is none of its addresses", login, address)
        else:
            return terminal
        return None


class Session:
    """A conversation. `login` is the terminal's once it is known; `address` is where it comes from."""

    def __init__(self, house: House, address: str, certificate: str | None = None) -> None:
        self._house, self._address = house, address
        self.login = ""
        self._context = house.context("", None)
        self._checked = self._gone = False
        self._wrong = 0
        self._last_line, self._last_answer = b"", b""
        if certificate is not None:
            for login, terminal in house.terminals.terminals.items():
                if terminal.certificate == certificate and terminal.may_come_from(address) and self._has_room(login, terminal):
                    self._enter(login, terminal)
                    break

    def leave(self) -> None:
        """The connection has ended. Who was logging in meanwhile is let in no more: nobody would be there to leave again."""
        self._gone = True
        self._let_go()

    def _let_go(self) -> None:
        if self.login:
            self._house.present[self.login] -= 1
            self.login = ""

    async def answer(self, raw: bytes) -> bytes:
        """The answer to one line. Over when the connection is to end, perhaps after a last answer."""
        framed = opened(raw)
        self._checked = framed.sequence is not None or self._context.framing.error_detection == "always"
        if not framed.intact:
            self._house.metrics.resends.inc()
            return self._sealed("96", None)
        if framed.sequence is not None and raw == self._last_line:
            return self._last_answer  # the machine has not got it: the very same line, with the same number
        told = self._text(framed.body)
        delimiter = self._context.framing.delimiter if self.login else delimiter_of(told)
        try:
            asked = parse(told, delimiter)
        except Unreadable:
            if not self.login:
                raise Over("what came was no SIP2") from None
            return self._sealed("96", None)
        if asked.code == "97":
            return self._last_answer or self._sealed("96", None)
        begun, login, status = perf_counter(), self.login, "failed"
        try:
            if login and asked.code in ANSWERS:
                try:
                    answer = await answered(self._context, asked)
                except Away:
                    answer = away(self._context, asked)
                text, status = line(self._context, answer), answer.status
            else:
                text, status = await self._itself(asked, framed.sequence)
        except JournalFailed:
            # Nothing may be answered that is not durable; without an answer the machine goes on alone, and tells afterwards.
            log.critical("the journal failed: %s is not answered", asked.message.name, exc_info=True)
            raise Over("the journal failed") from None
        finally:
            self._house.metrics.count(login, asked.code, status, perf_counter() - begun)
        found = self._sealed(text, framed.sequence)
        if traced.isEnabledFor(logging.DEBUG):
            shown = masked(text, self._context.framing.delimiter)
            traced.debug("%s asked %s and was answered %s", self.login or self._address, masked(told, delimiter), shown)
        # A status and a login have no date, and some machines ask for them with one number ever: each time they are answered as it is now.
        self._last_line, self._last_answer = b"" if asked.code in ("93", "99") else raw, found
        return found

    async def _itself(self, asked: Parsed, sequence: str | None) -> tuple[str, str]:
        """The answer, and its status, to what is not for the back end."""
        if asked.code == "93":
            return await self._log_in(asked, sequence)
        if asked.code == "99":
            return line(self._context, acs_status(self._context, online=await self._house.backend.online())), "ok"
        if not self.login:
            raise Over(f"a message {asked.code} before any login")
        return "96", "refused"

    async def _log_in(self, asked: Parsed, sequence: str | None) -> tuple[str, str]:
        login = asked.fields.get("CN", "").strip()
        terminal = await self._house.admitted(login, asked.fields.get("CO", ""), self._address)
        if self._gone:
            raise Over("it went while it logged in")
        if terminal is None:
            self._wrong += 1
            if self._wrong >= WRONG_LOGINS:
                raise Over("too many wrong logins", self._sealed("940", sequence))
            await asyncio.sleep(0.5 * self._wrong)
            return "940", "refused"
        if self.login != login and not self._has_room(login, terminal):
            return "940", "refused"
        self._enter(login, terminal)
        return "941", "ok"

    def _has_room(self, login: str, terminal: Terminal) -> bool:
        """Whether the terminal may have one more connection."""
        if self._house.present.get(login, 0) < terminal.connections:
            return True
        log.warning("terminal %s has %d connections already", login, terminal.connections)
        return False

    def _enter(self, login: str, terminal: Terminal) -> None:
        self._let_go()
        self.login = login
        self._house.present[login] = self._house.present.get(login, 0) + 1
        self._context = self._house.context(login, terminal)
        log.info("terminal %s is connected from %s", login, self._address)

    def _text(self, body: bytes) -> str:
        try:
            text = body.decode(self._context.framing.encoding)
        except UnicodeDecodeError:
            text = body.decode("latin-1")
        return text if text.find("\0") < 0 else text.replace("\0", " ")  # which PostgreSQL keeps in no text

    def _sealed(self, text: str, sequence: str | None) -> bytes:
        framing = self._context.framing
        # A request to send again has no number of its own (SIP2 2.00, "Request SC Resend"): the machine's answer keeps the old one.
        number = "" if text == "96" else sequence or "0"
        numbered = number if self._checked and framing.error_detection != "never" else None
        return sealed(text, encoding=framing.encoding, sequence=numbered, terminator=ENDS[framing.terminator])
