"""What partners, flows, tables and reasons are called, in the reader's language."""

from __future__ import annotations

from fastapi import Request

from include.engine import reasons
from include.engine.contract.loading import load_all
from include.engine.delivery import Delivery
from include.engine.reasons.translate import bare
from include.engine.receipts.compose import why as of_delivery
from include.engine.receipts.layout import say as receipt_says
from plugins.board.house import all_partners, board_of
from plugins.board.say import say
from plugins.board.say import table as words


def partner(request: Request, id: str) -> str:
    """The partner's name; its id where the YAML does not say."""
    found = all_partners(request).partners.get(id)
    return found.name if found else board_of(request).engine().partner_name(id)


def flow(language: str, name: str) -> str:
    """What the flow is called; its name in the YAML where it has no other."""
    return say(language, f"flows.{name}") if f"flows.{name}" in words() else name


def table(language: str, name: str) -> str:
    """What the table is called, as receipts call it; a line without a table has its flow's name."""
    if f"flows.{name}" in words():
        return flow(language, name)
    try:
        return receipt_says(language, name)
    except KeyError:
        return name


def reason(language: str, code: str, column: str | None = None) -> str:
    """The reason in a sentence, without the values of one case but for its column."""
    if code not in reasons.table():
        return code
    return bare(code, language, column)


def why(language: str, delivery: Delivery) -> str:
    """Why a delivery was stopped, with what is known of the case."""
    known = delivery.reason if delivery.reason in reasons.table() else None
    return of_delivery(delivery, known, language) or reason(language, delivery.reason or "INTERNAL")


def advice(language: str, code: str) -> str:
    """What to do about a reason; nothing for one that the table does not have."""
    return reasons.advice(code, language) if code in reasons.table() else ""


def step(language: str, name: str) -> str:
    """What a step of a delivery's life is called."""
    return say(language, f"delivery.{name}") if f"delivery.{name}" in words() else name


def rule(request: Request, contract: str, id: str) -> str:
    """A contract's rule in its own words; its id where the contract of today has it no more."""
    found = load_all(board_of(request).engine().contracts_folder).get(contract)
    return next((one.description for one in found.rules if one.id == id), id) if found else id
