"""Short ways to bring a delivery somewhere, for the tests."""

from __future__ import annotations

from include.engine.delivery import Counts, Delivery, State, Token
from include.engine.ledger import Ledger, claims

_WAY = [State.STAGED, State.GATED, State.PUBLISHED, State.ACKNOWLEDGED]
ONE = Counts(in_=1, published=1)


def start(ledger: Ledger, id: str) -> Token:
    """Claim it and take its first token."""
    assert claims.claim(ledger, id) is not None
    return claims.take(ledger, id, "receive")


def go(ledger: Ledger, token: Token, to: State) -> Delivery:
    """Advance it to `to` by the ordinary way, one record in it."""
    for state in _WAY[: _WAY.index(to) + 1]:
        found = claims.advance(ledger, token, state, counts=ONE)
    return found


def end(ledger: Ledger, id: str, state: State) -> Delivery:
    """Claim it and bring it to `state`."""
    token = start(ledger, id)
    if state in _WAY:
        return go(ledger, token, state)
    return claims.advance(ledger, token, state, reason="DELIVERY_REFUSED")
