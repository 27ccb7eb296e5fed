"""What each rule of a gate found, for the receipt, the run's page and the history of a contract."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Protocol

import sqlalchemy as sa

from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import gate_result


class Outcome(Protocol):
    """What a gate says of one rule; `gate.RuleResult` is one."""

    @property
    def rule(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def checked(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def passed(self) -> bool: ...


@dataclass(frozen=True)
class GateResult:
    """One rule of one contract at one gate ('incoming' or 'lake'): of `checked` rows `failed` broke it."""

    delivery_id: str
    gate: str
    contract: str
    version: str
    rule: str
    severity: str
    reason: str | None
    checked: int
    failed: int
    passed: bool


def add(
    ledger: Ledger,
    delivery_id: str,
    gate: str,
    contract: str,
    version: str,
    outcomes: Iterable[Outcome],
    *,
    tx: sa.Connection | None = None,
) -> None:
    """Enter what a gate found, in place of what an earlier try found there."""
    g = gate_result.c
    same = {"delivery_id": delivery_id, "gate": gate, "contract": contract, "version": version}
    names = ("rule", "severity", "reason", "checked", "failed", "passed")
    rows = [same | {"rank": rank} | {name: getattr(one, name) for name in names} for rank, one in enumerate(outcomes)]
    with ledger.writing(tx) as tx:
        tx.execute(sa.delete(gate_result).where(g.delivery_id == delivery_id, g.gate == gate, g.contract == contract))
        if rows:
            tx.execute(sa.insert(gate_result), rows)


def of(ledger: Ledger, delivery_id: str, *, tx: sa.Connection | None = None) -> list[GateResult]:
    """All results of a delivery: incoming before lake, and in the order of each contract."""
    g = gate_result.c
    query = sa.select(*(g[f.name] for f in fields(GateResult))).where(g.delivery_id == delivery_id)
    with ledger.reading(tx) as tx:
        return [GateResult(*row) for row in tx.execute(query.order_by(g.gate, g.contract, g.rank))]
