"""What an outbound delivery is made of, and how far each part has got."""

from __future__ import annotations

import pytest

from include.engine.delivery import Counts, State
from include.engine.errors import StaleToken, WrongState
from include.engine.ledger import Ledger, claims, deliveries, parts
from include.engine.ledger.parts import Part


@pytest.fixture
def begun(ledger: Ledger, new):
    """A delivery at work, and its token."""
    made = deliveries.see(ledger, new(flow="letters", table=""))
    claims.claim(ledger, made.id)
    return made.id, claims.take(ledger, made.id, "render")


def part(id: str, rank: int, binding: bool = True, **more: object) -> Part:
    return Part(id, rank, f"part {rank}", binding, f"staging/{rank}", 10, "00", 3, **more)  # type: ignore[arg-type]


def test_parts_are_kept_in_their_order_with_what_the_connector_noted(ledger: Ledger, begun) -> None:
    id, token = begun
    made = [part(id, 1), part(id, 0, binding=False, facts={"lines": 3})]
    parts.put(ledger, token, made)
    assert parts.of(ledger, id) == [made[1], made[0]]
    assert parts.of(ledger, "nobody") == []


def test_rendered_again_the_parts_take_the_place_of_the_earlier_ones(ledger: Ledger, begun) -> None:
    id, token = begun
    parts.put(ledger, token, [part(id, 0), part(id, 1)])
    parts.put(ledger, token, [part(id, 0, facts={"anew": True})])
    assert [one.facts for one in parts.of(ledger, id)] == [{"anew": True}]
    parts.put(ledger, token, [])
    assert parts.of(ledger, id) == []


def test_a_part_that_lies_unseen_fixes_nothing_and_a_binding_one_does(ledger: Ledger, begun) -> None:
    id, token = begun
    parts.put(ledger, token, [part(id, 0, binding=False), part(id, 1)])
    parts.begin(ledger, token, 0)
    assert not parts.fixed(ledger, id)
    parts.put(ledger, token, [part(id, 0, binding=False), part(id, 1)])
    first = parts.begin(ledger, token, 1)
    assert parts.fixed(ledger, id) and first.begun_at is not None
    assert parts.begin(ledger, token, 1).begun_at == first.begun_at, "begun again, it keeps its time"
    with pytest.raises(WrongState, match="may have left"):
        parts.put(ledger, token, [])


def test_what_is_done_keeps_its_facts_and_gets_more(ledger: Ledger, begun) -> None:
    id, token = begun
    parts.put(ledger, token, [part(id, 0, facts={"lines": 3})])
    done = parts.done(ledger, token, 0, size=10)
    assert done.done_at is not None and done.begun_at is not None
    assert parts.of(ledger, id)[0].facts == {"lines": 3, "size": 10}
    with pytest.raises(WrongState, match="no part 7"):
        parts.done(ledger, token, 7)


def test_a_try_that_was_overtaken_changes_nothing(ledger: Ledger, begun) -> None:
    id, old = begun
    parts.put(ledger, old, [part(id, 0)])
    claims.take(ledger, id, "send")
    for change in (lambda: parts.put(ledger, old, []), lambda: parts.begin(ledger, old, 0), lambda: parts.done(ledger, old, 0)):
        with pytest.raises(StaleToken):
            change()
    assert parts.of(ledger, id)[0].begun_at is None


def test_a_delivery_that_stopped_after_it_may_have_left_is_in_doubt_until_somebody_dismisses_it(ledger: Ledger, new, begun) -> None:
    id, token = begun
    later = deliveries.see(ledger, new(flow="letters", table=""))
    parts.put(ledger, token, [part(id, 0)])
    parts.begin(ledger, token, 0)

    def doubt() -> str | None:
        return parts.in_doubt(ledger, "aarhus", "letters", later.arrival)

    assert doubt() is None, "it is still at work"
    claims.advance(ledger, token, State.FAILED, counts=Counts())
    assert doubt() == id
    assert parts.in_doubt(ledger, "aarhus", "other", later.arrival) is None
    assert parts.in_doubt(ledger, "aarhus", "letters", deliveries.get(ledger, id).arrival) is None, "only what came before"
    claims.dismiss(ledger, id, "kirsten")
    assert doubt() is None
    assert claims.reopen(ledger, id) is not None
    claims.advance(ledger, claims.take(ledger, id, "send"), State.FAILED, counts=Counts())
    assert doubt() == id, "it was tried once more after that"
