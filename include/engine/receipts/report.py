"""A word to the partner about records that were set aside, when a person decides to send it: by mail, or into their inbox's receipts."""

from __future__ import annotations

from dataclasses import replace

from include.engine.delivery import Delivery
from include.engine.engine import Engine
from include.engine.errors import Refused
from include.engine.inbound.work import flow_of
from include.engine.ledger import audit, deliveries, quarantined, receipts
from include.engine.partner.settings import Partner
from include.engine.privacy.mask import mask
from include.engine.receipts import send
from include.engine.receipts.compose import Receipt, compose
from include.engine.receipts.layout import as_text

LONGEST_WORDS = 4_000


def report(engine: Engine, id: int, *, who: str, words: str = "") -> list[str]:
    """Tell the partner of the record `id` and its like: the receipt of its delivery, of that reason alone, below the person's own `words`.

    By mail where the partner has an address, else as a file among their receipts; returns where it went. Sent once for each reason of a
    delivery: asked for again, it only says where it went. Refused REPORT_NOWHERE.
    """
    row = quarantined.get(engine.ledger, id)
    delivery = deliveries.get(engine.ledger, row.delivery_id)
    kind = f"report {row.reason}"
    if before := sent(engine, delivery.id, row.reason):
        return before
    partner = engine.partner(delivery.partner)
    receipt = _of_reason(compose(engine, delivery, delivery.state, partner.language, partner.timezone), row.reason)
    text = "\n\n".join(filter(None, (mask(words.strip())[:LONGEST_WORDS], as_text(receipt))))
    went = _send(engine, partner, delivery, receipt, text, kind)
    audit.record(engine.ledger, who, "report", delivery.id, {"quarantined": id, "reason": row.reason, "to": went})
    return went


def sent(engine: Engine, delivery_id: str, reason: str) -> list[str]:
    """Where the report of a reason of a delivery went before; empty where none has gone."""
    return [one.uri for one in receipts.of(engine.ledger, delivery_id) if one.kind == f"report {reason}" and one.sent_at]


def _of_reason(receipt: Receipt, reason: str) -> Receipt:
    groups = tuple(group for group in receipt.groups if group.reason == reason)
    return replace(receipt, groups=groups, warnings=(), filtered=(), tables={})


def _send(engine: Engine, partner: Partner, delivery: Delivery, receipt: Receipt, text: str, kind: str) -> list[str]:
    if partner.contacts.deliveries and (went := send.mail(engine, partner.contacts.deliveries, receipt, text, kind)):
        return went
    went = send.to_partner(engine, flow_of(partner, delivery), delivery, {"txt": text}, receipt, about=kind)
    if not went:
        raise Refused(
            "there is no address and no folder to which the report could go.",
            where=partner.where(),
            do="Set `contacts` in the partner's YAML, and the connection bindery_smtp.",
            code="REPORT_NOWHERE",
        )
    return went
