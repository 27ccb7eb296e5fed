"""Mails that come after a delivery has ended: read from each library's mailbox, and put on the delivery that they are about."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from connectors.adhl.settings import AdhlUpload
from connectors.adhl.upload import mails
from include.engine import clock
from include.engine.delivery import State
from include.engine.engine import Engine
from include.engine.errors import BinderyError
from include.engine.ledger import deliveries, parts
from include.engine.outbound.answers import answered

log = logging.getLogger("bindery.adhl")
FLOW = "adhl_upload"


@dataclass(frozen=True)
class Heard:
    """What a round of reading found: mailboxes read and not read, answers put on deliveries."""

    read: int
    failed: int
    answers: int

    def __str__(self) -> str:
        return f"{self.read} mailboxes read, {self.failed} could not be; {self.answers} answers of posthus"


def listen(engine: Engine, *, who: str) -> Heard:
    """Read every mailbox that a partner's flow names. One that cannot be read, or an answer that cannot be put on its delivery now, is logged and
    delays no other: the next round reads it again."""
    read = failed = answers = 0
    for partner, flow, mailbox in _mailboxes(engine):
        since = clock.now() - flow.posthus.answers_within
        try:
            found = mails.read(engine.credentials.get(mailbox), since)
        except BinderyError as error:
            log.error("%s: %s", partner, error)
            failed += 1
            continue
        read += 1
        ended = {State.ACKNOWLEDGED, State.RETRACTED, State.FAILED, State.BLOCKED}
        for delivery in deliveries.find(engine.ledger, partner=partner, flow=FLOW, states=ended, since=since):
            said = mails.about(found, parts.of(engine.ledger, delivery.id))
            known = len(delivery.facts.get("answers", []))
            try:
                if said:
                    answers += len(answered(engine, delivery.id, said, who=who).facts.get("answers", [])) - known
            except BinderyError as error:  # its own trouble: the other libraries' mails are read all the same
                log.error("%s: %s", delivery.id, error)
    return Heard(read, failed, answers)


def _mailboxes(engine: Engine) -> Iterator[tuple[str, AdhlUpload, str]]:
    for partner in engine.partners().partners.values():
        flow = partner.flows.get(FLOW)
        if isinstance(flow, AdhlUpload) and flow.enabled and flow.posthus.mailbox:
            yield partner.id, flow, flow.posthus.mailbox
