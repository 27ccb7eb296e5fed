"""Receipts to where the partner reads them: a file in their inbox, and a mail when not everything was taken in.

Sending is at least once: a try that died after a mail left sends it again, with the same Message-ID, so that mail programs show it once.
"""

from __future__ import annotations

import logging
import re

from include.engine import clock
from include.engine.delivery import Delivery
from include.engine.engine import Engine
from include.engine.errors import Refused, Unreachable
from include.engine.failpoints import point
from include.engine.ledger import receipts
from include.engine.mail import post
from include.engine.partner.settings import InboxFlow, Partner, PulledFlow
from include.engine.receipts.compose import Receipt
from include.engine.receipts.layout import as_json, as_text, needs_attention, say, summary
from include.engine.storage.filesystem import Store

log = logging.getLogger("bindery.receipts")

FOLDER = "receipts"
NOT_OURS = frozenset({"INBOX_READ_ONLY", "INBOX_MISSING", "STORE_FULL", "FILE_GONE", "FILE_NAME_TAKEN", "FILE_NOT_REGULAR"})
"""What is wrong with a partner's folder and no try of ours will mend. No answer at all is tried again."""


def send(engine: Engine, partner: Partner, flow: InboxFlow | PulledFlow | None, delivery: Delivery, receipt: Receipt) -> list[str]:
    """Write the receipt for our own files, into the partner's folder and, where somebody must act, by mail. Returns where it went."""
    forms = {"txt": as_text(receipt), "json": as_json(receipt)}
    went = []
    with engine.store(f"file:{FOLDER}") as own:
        for suffix, body in forms.items():
            went.append(_put(engine, own, f"{partner.id}/{delivery.id}.{suffix}", body, f"own {suffix}", receipt))
    went += to_partner(engine, flow, delivery, forms, receipt)
    if partner.contacts.deliveries and needs_attention(receipt):
        # Done again, a delivery may end otherwise: that is worth a mail of its own.
        went += mail(engine, partner.contacts.deliveries, receipt, forms["txt"], f"mail {receipt.state}")
    return went


def to_partner(
    engine: Engine, flow: InboxFlow | PulledFlow | None, delivery: Delivery, forms: dict[str, str], receipt: Receipt, *, about: str = ""
) -> list[str]:
    """A file beside the source in `receipts/`, or where the YAML says. Where it cannot be written (a read-only inbox, a full disk, a folder
    that is gone), the mail and our own copy remain: a partner's folder must not keep their next delivery waiting.

    `about`: what it tells of where it is not the whole receipt, as part of its name and kind (`report LOAN_IN_FUTURE`)."""
    if flow is None:
        return []
    if flow.receipts:
        folder, prefix = flow.receipts, ""
    elif isinstance(flow, InboxFlow) and flow.after != "leave":
        folder, prefix = flow.inbox, f"{FOLDER}/"
    else:
        return []
    name = f"{plain_name(receipt.file)}.{delivery.id[-8:]}" + (f".{about.replace(' ', '-')}" if about else "")
    try:
        with engine.store(folder) as store:
            return [
                _put(engine, store, f"{prefix}{name}.{suffix}", body, about or f"partner {suffix}", receipt)
                for suffix, body in forms.items()
            ]
    except (Refused, Unreachable) as trouble:
        if trouble.code not in NOT_OURS:
            raise
        log.warning("%s: the receipt could not be written into the partner's folder: %s", delivery.id, trouble)
        return []


def plain_name(file: str) -> str:
    """The file's name as far as every store takes it: a delivery may be refused for its very name, and still gets its receipt."""
    return re.sub(r'[\\/:*?"<>|\x00-\x1f\x7f]', "_", file).encode()[:160].decode(errors="ignore").lstrip(".") or "delivery"


def _put(engine: Engine, store: Store, path: str, body: str, kind: str, receipt: Receipt) -> str:
    store.put(path, body.encode())
    point("receipt.put")
    uri = store.uri(path)
    receipts.add(engine.ledger, receipt.delivery, kind, uri, receipt.language, sent_at=clock.now())
    return uri


def mail(engine: Engine, address: str, receipt: Receipt, text: str, kind: str) -> list[str]:
    """Mail `text` to the partner, once for each `kind` of a delivery. Empty where this installation sends no mail; Unreachable."""
    uri = f"mailto:{address}"
    if any((one.kind, one.uri) == (kind, uri) and one.sent_at for one in receipts.of(engine.ledger, receipt.delivery)):
        return [uri]
    subject = say(receipt.language, "subject", file=receipt.file, summary=summary(receipt))
    if not post(engine, address, subject, text, f"{receipt.delivery}.{kind.removeprefix('mail ').replace(' ', '.')}"):
        return []
    receipts.add(engine.ledger, receipt.delivery, kind, uri, receipt.language, sent_at=clock.now())
    return [uri]
