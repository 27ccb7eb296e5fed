"""Whom Bindery has erased, by pseudonym, so that a later delivery does not bring them back unnoticed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from include.engine import clock
from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import erased_subject


@dataclass(frozen=True)
class ErasedSubject:
    """One erasure and where its certificate is."""

    partner: str
    pseudonym: str
    at: datetime
    certificate_uri: str


def add(ledger: Ledger, partner: str, pseudonym: str, certificate_uri: str, *, tx: sa.Connection | None = None) -> None:
    """Enter an erasure; a later one of the same subject has the newer certificate."""
    e = erased_subject.c
    this, values = (e.partner == partner, e.pseudonym == pseudonym), {"at": clock.now(), "certificate_uri": certificate_uri}
    with ledger.writing(tx) as tx:
        ledger.lock(tx, f"erased {partner}/{pseudonym}")
        if tx.execute(sa.update(erased_subject).where(*this).values(values)).rowcount == 0:
            tx.execute(sa.insert(erased_subject).values(partner=partner, pseudonym=pseudonym, **values))


def among(ledger: Ledger, partner: str, pseudonyms: Iterable[str], *, tx: sa.Connection | None = None) -> set[str]:
    """Those of `pseudonyms` that were erased for this partner."""
    wanted = set(pseudonyms)
    return {one.pseudonym for one in of(ledger, partner, tx=tx) if one.pseudonym in wanted}


def of(ledger: Ledger, partner: str, *, tx: sa.Connection | None = None) -> list[ErasedSubject]:
    """All erasures of a partner's subjects, oldest first."""
    e = erased_subject.c
    with ledger.reading(tx) as tx:
        rows = tx.execute(sa.select(erased_subject).where(e.partner == partner).order_by(e.at, e.pseudonym))
        return [ErasedSubject(**row._mapping) for row in rows]
