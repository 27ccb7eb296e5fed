"""What posthus says by mail: "Fejlmeddelelse fra DanBibs Posthus", with a sentence for each fault. Read over IMAP, put on the delivery.

The sentences are DBC's (facts of 2015). A fault of the transfile means that posthus took nothing: the delivery is retracted, and the next one
sends its loans again. Two cases are left to a person, because they do not prove that: a data file that "cannot be found" may have been taken
before, and of a transfile that was sent more than once nobody knows which one is meant.
"""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from include.engine.credentials import Connection
from include.engine.errors import Unreachable
from include.engine.ledger.parts import Part
from include.engine.outbound.connector import Answer
from include.engine.reasons import words

SUBJECT = "Fejlmeddelelse fra DanBibs Posthus"
_FAULTS = (
    r"Transfil har intet indhold",
    r"Transfil mangler slut-linje",
    r"Transfilnavn indeholder blanktegn",
    r"ugyldigt biblioteksnummer",
    r"Datafil angivelse mangler i transfilen",
    r"Datafilnavn .{0,200} indeholder ulovlige tegn",
)
_GONE = r"Kan ikke finde datafilen"


@dataclass(frozen=True)
class Mail:
    """A mail of posthus: when it came (aware), and its text."""

    at: datetime
    text: str


def read(connection: Connection, since: datetime) -> list[Mail]:
    """The mails of posthus in the mailbox since the day of `since`, oldest first. They are left as they are. Unreachable when it cannot be read."""
    import imap_tools

    try:
        box: imap_tools.BaseMailBox
        if connection.flag("tls", default=True):
            box = imap_tools.MailBox(connection.host, connection.port or 993, 30, ssl_context=ssl.create_default_context())
        else:
            box = imap_tools.MailBoxUnencrypted(connection.host, connection.port or 143, 30)
        with box.login(connection.login, connection.password, connection.text("folder") or "INBOX") as inbox:
            asked = imap_tools.AND(subject=SUBJECT, date_gte=since.date())
            found = [Mail(_aware(one.date), f"{one.subject}\n{one.text or one.html}") for one in inbox.fetch(asked, mark_seen=False)]
    except (OSError, imaplib.IMAP4.error, imap_tools.ImapToolsError) as error:
        what = f"the mailbox cannot be read ({type(error).__name__})."
        raise Unreachable(what, where=f"connection {connection.id}", do="It is tried again.") from error
    return sorted(found, key=lambda one: one.at)


def _aware(at: datetime) -> datetime:
    """A mail's date, which may be anything that somebody wrote into it; it orders the mails and decides nothing."""
    try:
        return at.astimezone(UTC)
    except (OverflowError, ValueError):
        return datetime.min.replace(tzinfo=UTC)


def about(mails: Iterable[Mail], parts: Sequence[Part]) -> list[Answer]:
    """What the mails say of a delivery with these parts (the data file and the transfile)."""
    if len(parts) < 2:
        return []
    return [_answer(mail.text, parts[1]) for mail in mails if any(part.name in mail.text for part in parts)]


def _answer(text: str, trans: Part) -> Answer:
    fault = next((found for pattern in _FAULTS if (found := re.search(pattern, text, re.I | re.S))), None)
    if fault is not None and not trans.facts.get("again"):
        said = " ".join(fault[0].split())
        return Answer("POSTHUS_REFUSED", words("POSTHUS_REFUSED", "en", value=said), taken=False)
    if fault is None and re.search(_GONE, text, re.I):
        return Answer("POSTHUS_FILE_GONE", words("POSTHUS_FILE_GONE", "en", value=trans.name))
    return Answer("POSTHUS_ANSWERED", words("POSTHUS_ANSWERED", "en", value=trans.name))
