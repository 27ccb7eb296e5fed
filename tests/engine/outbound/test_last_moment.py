"""Two tries of a step, one of which ends between the other's look and its token."""

from __future__ import annotations

import pytest

from include.engine.ledger import claims
from include.engine.outbound.confirm import confirm
from include.engine.outbound.render import render
from include.engine.outbound.select import select
from include.engine.outbound.send import send
from tests.engine.outbound import letter


@pytest.mark.parametrize("step", [send, confirm])
def test_a_try_that_finds_the_one_before_it_through_at_the_last_moment_has_nothing_to_do(office, monkeypatch, step) -> None:
    office.hold("h1", "h2")
    begun = office.begun()
    for before in (select, render) if step is send else (select, render, send):
        before(office.engine, begun.id, letter)
    real = claims.take

    def take(*given):
        monkeypatch.setattr(claims, "take", real)
        step(office.engine, begun.id, letter)
        return real(*given)

    monkeypatch.setattr(claims, "take", take)
    assert "nothing to" in step(office.engine, begun.id, letter).words
    assert (office.get(begun.id).reason, office.taken) == (None, ["h1", "h2"])
