"""Two tries of a step, one of which ends between the other's look and its token."""

from __future__ import annotations

import pytest

from include.engine.inbound.acknowledge import acknowledge
from include.engine.inbound.gate import gate
from include.engine.inbound.publish import publish
from include.engine.inbound.receive import receive
from include.engine.ledger import claims
from tests.engine.inbound import paper
from tests.engine.inbound.paper import GOOD


@pytest.mark.parametrize("step", [publish, acknowledge])
def test_a_try_that_finds_the_one_before_it_through_at_the_last_moment_has_nothing_to_do(house, monkeypatch, step) -> None:
    house.drop("hold_1.txt", GOOD)
    [claimed] = house.claimed()
    for before in (receive, gate) if step is publish else (receive, gate, publish):
        before(house.engine, claimed.id, paper)
    real = claims.take

    def take(*given):
        monkeypatch.setattr(claims, "take", real)
        step(house.engine, claimed.id, paper)
        return real(*given)

    monkeypatch.setattr(claims, "take", take)
    assert "nothing to" in step(house.engine, claimed.id, paper).words
    assert house.get(claimed.id).reason is None
