"""What answers are made with: the terminal that asks, its profile, the library's back end, and the time it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b
from zoneinfo import ZoneInfo

from msgspec import Struct

from connectors.circulation.backend import Backend
from connectors.circulation.domain import Credentials, Outcome, Patron
from connectors.circulation.profile import Profile
from connectors.circulation.sip2.codec import Parsed, Value
from connectors.circulation.sip2.dates import LANGUAGES, due_stamp, local, moment, stamp
from connectors.circulation.words import Language, words
from include.engine import clock


class Answer(Struct, frozen=True, gc=False):
    """A message to be written. `status` sorts it for metrics: ok, refused or away."""

    code: str
    fixed: dict[str, str]
    fields: dict[str, Value]
    status: str = "ok"


class Context:
    """One logged-in terminal. `institution` is what AO says in answers; `framing`, `output` and `policy` are its profile's."""

    def __init__(
        self,
        backend: Backend,
        terminal: str,
        profile: Profile,
        *,
        institution: str,
        library: str,
        zone: ZoneInfo,
        language: Language,
        branch: str = "",
        location: str = "",
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self.backend, self.terminal, self.profile = backend, terminal, profile
        self.framing, self.output, self.policy = profile.framing, profile.output, profile.policy
        self.institution, self.library, self.zone, self.language = institution, library, zone, language
        self.branch, self.location, self.now = branch, location, now

    def stamp(self) -> str:
        """Now, as the fixed field has it."""
        return stamp(self.now(), self.zone)

    def due(self, when: datetime | None) -> str:
        """A due date as this kind of machine wants it."""
        if when is None:
            return ""
        style = self.output.due_format
        return local(when, self.zone).strftime(style) if style else due_stamp(when, self.zone)

    def time(self, text: str) -> datetime | None:
        """A moment of the machine's."""
        return moment(text, self.zone)

    def who(self, asked: Parsed) -> Credentials:
        """The card and PIN of a request, once for each (lockout.py). An empty PIN is none: machines without a keyboard send one."""
        return Credentials(asked.fields.get("AA", "").strip(), asked.fields.get("AD") or None if self.policy.pin != "never" else None)

    def said(self, asked: Parsed) -> tuple[str, datetime, str, str, bool]:
        """What every request to a back end says, in the order of domain.Asked."""
        at = self.time(asked.fixed.get("transaction date", ""))
        return self.terminal, at or self.now(), self.branch, key_of(self.terminal, asked) if at else "", asked.yes("no block")

    def tongue(self, asked: Parsed | None = None, patron: Patron | None = None) -> Language:
        """The language to answer in: what the machine asks for, else the patron's own, else the terminal's."""
        number = asked.fixed.get("language", "") if asked else ""
        if number in LANGUAGES:
            return LANGUAGES[number]
        own = patron.language if patron else ""
        return own if own in LANGUAGES.values() else self.language  # type: ignore[return-value]

    def say(self, reason: str, language: Language, **values: object) -> str:
        """A reason's sentence, as the profile rewrites it."""
        text = words(reason, language, **values)
        for pattern, replacement in self.output.rewrite:
            text = re.sub(pattern, replacement, text)
        return text

    def screen(self, outcome: Outcome, asked: Parsed | None = None, patron: Patron | None = None) -> list[str]:
        """The screen messages of an outcome, in the language of `tongue`."""
        if not outcome.reason:
            return []
        language = self.tongue(asked, patron)
        owed = f"{outcome.patron.owes} {outcome.patron.currency}" if outcome.patron and outcome.patron.fees else ""
        return [self.say(outcome.reason, language, route=outcome.route, amount=owed, count="").rstrip(" :")]


_NOT_ASKED = frozenset(("AC", "AD", "AY", "AZ"))


def key_of(terminal: str, asked: Parsed) -> str:
    """The same for a request and its retry, over reconnects and restarts: terminal, message, its date, and what it is about.

    Passwords and error detection are left out, and so is the order of the fields: a machine that comes back may have been restarted.
    The date stands first: keys that come after each other lie together in the store, and not each on a page of its own.
    """
    kept = [code + value for code, value in asked.fields.items() if code not in _NOT_ASKED]
    kept.sort()
    text = "\n".join((terminal, asked.code, *asked.fixed.values(), *kept))  # fixed fields are in the table's order
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{asked.fixed['transaction date']}-{digest}"


async def kept_out(context: Context, asked: Parsed, who: Credentials) -> str:
    """What the profile has against a patron who wants to borrow, beyond the library's rules; '' when there is nothing."""
    policy, given = context.policy, bool(asked.fields.get("AD"))
    if asked.yes("no block") or asked.yes("BI"):
        return ""
    if policy.pin == "always" and not given:
        return "PIN_WRONG"
    unchecked = given and not policy.card_alone and policy.pin != "never"
    if not unchecked and not policy.overdue_blocks:
        return ""
    patron = await context.backend.patron(who)
    if patron is not None and unchecked and patron.pin_right is None:
        return "PIN_WRONG"
    if patron is not None and policy.overdue_blocks and any(loan.overdue(context.now()) for loan in patron.loans):
        return "OVERDUE"
    return ""
