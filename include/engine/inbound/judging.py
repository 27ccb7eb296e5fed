"""A contract's gate for a delivery, whichever way it goes."""

from __future__ import annotations

from datetime import date

from include.engine.contract.model import Contract
from include.engine.delivery import Delivery
from include.engine.engine import Engine
from include.engine.gate.gate import Gate
from include.engine.inbound.work import named_rows


def judge(engine: Engine, contract: Contract, delivery: Delivery, today: date) -> Gate:
    """The gate of a contract for one delivery, with the rows of the tables that its rules name."""
    wanted = sorted({name for rule in contract.rules for name in rule.references})
    queries = " ".join(rule.query or "" for rule in contract.rules)
    references = {name: named_rows(engine, delivery.partner, name, queries) for name in wanted}
    return Gate(contract, today=today, delivery=delivery.id, references=references)
