"""`adhl_upload` as the engine's outbound steps see it: which loans, in which form, and how posthus gets them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import pyarrow as pa

from connectors.adhl.settings import AdhlUpload
from connectors.adhl.upload import mails, posthus, rendering, selecting, transfile
from include.engine.errors import BinderyError
from include.engine.ledger.parts import Part
from include.engine.outbound.connector import Answer, Parts, Selected, Sending, Work

log = logging.getLogger("bindery.adhl")


def reads(work: Work) -> Sequence[str]:
    """Loans, and what is known of their titles and patrons; the identities only where sex or birth year is not known otherwise."""
    return selecting.READS


def contract(work: Work) -> str:
    """The one contract of what goes out."""
    return "adhl_loan"


def select(work: Work) -> Iterator[Selected]:
    """The loans that were never sent. A library without a number that DBC knows delivers nothing (SettingsError)."""
    transfile.names(work.partner.agency, work.delivery.id, "", "")
    yield from selecting.select(work, _flow(work))


def render(work: Work, rows: Callable[[], pa.RecordBatchReader], parts: Parts) -> None:
    """Lines, encrypted, and the transfile."""
    rendering.render(work, _flow(work), rows, parts)


def send(work: Work, sending: Sending) -> None:
    """To posthus."""
    posthus.send(work, _flow(work), sending)


def confirm(work: Work, parts: Sequence[Part]) -> Sequence[Answer]:
    """What posthus has written of it by now; later mails are read by the operation `adhl_answers`."""
    mailbox = _flow(work).posthus.mailbox
    if mailbox is None:
        return ()
    try:
        return mails.about(mails.read(work.credentials.get(mailbox), work.as_of), parts)
    except BinderyError as error:  # what was sent is sent: a mailbox must not keep the next delivery waiting
        log.warning("%s: posthus's mails are read later: %s", work.delivery.id, error)
        return ()


def _flow(work: Work) -> AdhlUpload:
    return cast(AdhlUpload, work.flow)
