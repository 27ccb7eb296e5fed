"""What a receiver says of a delivery afterwards, put on the delivery; and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from include.engine import clock
from include.engine.delivery import Delivery, State, Token
from include.engine.engine import Engine
from include.engine.ledger import claims, deliveries
from include.engine.outbound.connector import Answer
from include.engine.retract import retract


def note(engine: Engine, delivery: Delivery, token: Token, answers: Iterable[Answer]) -> Delivery:
    """Put answers on the delivery, each once: its fact `answers`, and a remark of its receipt."""
    fresh = _fresh(delivery, answers)
    if not fresh:
        return delivery
    known = [*delivery.facts.get("answers", []), *({**asdict(one), "at": clock.now().isoformat()} for one in fresh)]
    codes = [one["code"] for one in known if one["taken"] is not False]
    return claims.note(engine.ledger, token, answers=known, remarks=list(dict.fromkeys([*delivery.facts.get("remarks", []), *codes])))


def _fresh(delivery: Delivery, answers: Iterable[Answer]) -> list[Answer]:
    """Those that are not on the delivery yet."""
    known = [{name: old[name] for name in ("code", "words", "taken")} for old in delivery.facts.get("answers", [])]
    return [one for one in answers if asdict(one) not in known]


def refusal(answers: Sequence[Answer]) -> Answer | None:
    """The first answer that says that nothing was taken."""
    return next((one for one in answers if one.taken is False), None)


def answered(engine: Engine, delivery_id: str, answers: Sequence[Answer], *, who: str) -> Delivery:
    """Answers that come after a delivery has ended: they are noted, and one that says that nothing was taken retracts the delivery, so that
    the next one sends again what was in it. Where a try came no further than the note, the next one retracts."""
    delivery = deliveries.get(engine.ledger, delivery_id)
    if _fresh(delivery, answers):
        delivery = note(engine, delivery, claims.take(engine.ledger, delivery_id, "answer"), answers)
    refused = refusal(answers)
    if refused is not None and delivery.state in {State.PUBLISHED, State.ACKNOWLEDGED} and delivery.status != "test":
        retract(engine, delivery_id, who=who)
        token = claims.take(engine.ledger, delivery_id, "answer")
        delivery = claims.note(engine.ledger, token, reason=refused.code, message=refused.words)
    return delivery
