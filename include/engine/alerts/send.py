"""Alerts by mail: one mail a round with everything that is new, so that a bad night is one mail and not a thousand.

Who: `BINDERY_ALERTS` (addresses, by commas) is told of every partner, in `BINDERY_ALERTS_LANGUAGE`; `contacts.alerts` in a partner's YAML of
that partner alone, in its language. The link is `BINDERY_BOARD_URL`, the board's address as people reach it.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from include.engine import yamls
from include.engine.alerts.standing import Standing, standing
from include.engine.engine import Engine
from include.engine.errors import BinderyError
from include.engine.ledger import alerts
from include.engine.mail import post
from include.engine.partner.settings import Partner

log = logging.getLogger("bindery.alerts")

WORDS = Path(__file__).with_name("words.yaml")
PATIENCE = 5.0
"""Seconds that a round waits for the mail server."""
SHOWN = 25
"""Things that one mail names; of more it says how many."""


class Reader(NamedTuple):
    """Who is told: of one partner, or (None) of all."""

    address: str
    language: str
    partner: str | None


def readers(partners: Iterable[Partner], environment: Mapping[str, str]) -> list[Reader]:
    """Everybody who is told of anything, each once."""
    language = environment.get("BINDERY_ALERTS_LANGUAGE", "en")
    everything = {address.strip() for address in environment.get("BINDERY_ALERTS", "").split(",") if address.strip()}
    own = [
        Reader(one.contacts.alerts, one.language, one.id)
        for one in partners
        if one.contacts.alerts and one.contacts.alerts not in everything
    ]
    return [*(Reader(address, language, None) for address in sorted(everything)), *own]


def tell(engine: Engine, partners: Iterable[Partner], environment: Mapping[str, str] | None = None) -> int:
    """Mail what is new to whoever is told of it; returns how many mails went. What is over is forgotten, and told again when it comes again.

    A mail server that does not answer costs the round nothing: it is tried at the next.
    """
    environment = os.environ if environment is None else environment
    asked = readers(partners, environment)
    if not asked:
        return 0
    found, went = standing(engine), 0
    for reader in asked:
        mine = [one for one in found if reader.partner in (None, one.partner)]
        known = alerts.told(engine.ledger, reader.address)
        ours = {key for key in known if reader.partner is None or key[1].startswith(f"{reader.partner} ")}  # others' YAML may name it too
        alerts.over(engine.ledger, reader.address, ours - {one.key for one in mine})
        new = [one for one in mine if one.key not in known]
        if not new:
            continue
        try:
            if post(
                engine,
                reader.address,
                *_mail(new, reader.language, environment.get("BINDERY_BOARD_URL", "")),
                _id(reader, new),
                seconds=PATIENCE,
            ):
                alerts.tell(engine.ledger, reader.address, [one.key for one in new])
                went += 1
        except BinderyError as trouble:
            log.error("an alert was not sent: %s", trouble)
            break
    return went


def _mail(new: list[Standing], language: str, board: str) -> tuple[str, str]:
    """Subject and text."""
    board = board.rstrip("/")
    lines: list[str] = []
    for one in new[:SHOWN]:
        lines.append(say(language, one.kind, partner=one.partner, **one.values))
        if why := one.why(language):
            lines.append(f"  {why}")
        lines += [f"  {board}/{one.page}", ""] if board else [""]
    if len(new) > SHOWN:
        lines += [say(language, "more", count=len(new) - SHOWN, link=f"{board}/" if board else ""), ""]
    lines.append(say(language, "once"))
    return say(language, "subject" if len(new) == 1 else "subject_many", count=len(new)), "\n".join(lines) + "\n"


def _id(reader: Reader, new: list[Standing]) -> str:
    """The same for the same things: a mail that went twice over a crash is shown once."""
    return "alert." + hashlib.sha256("\n".join([reader.address, *(str(one.key) for one in new)]).encode()).hexdigest()[:32]


def say(language: str, what: str, **values: Any) -> str:
    """One of the alert's own phrases."""
    known = yamls.phrases(WORDS)
    return known.get(language, known["en"])[what].format_map(defaultdict(str, values))
