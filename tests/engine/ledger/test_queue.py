"""One delivery of a (partner, table) in flight, in order of arrival; after a block those behind it wait or go on."""

from __future__ import annotations

import pytest

from include.engine.delivery import State
from include.engine.ledger import Ledger, claims, deliveries, queue
from tests.engine.ledger import walk
from tests.engine.ledger.conftest import START, MakeDelivery


def test_deliveries_of_a_table_go_in_order_of_arrival(ledger: Ledger, new: MakeDelivery) -> None:
    first, second, third = (deliveries.see(ledger, new()).id for _ in range(3))
    assert claims.claim(ledger, third) is None
    assert claims.claim(ledger, second) is None
    assert claims.claim(ledger, first) is not None
    assert queue.waits_for(ledger, second) == first
    walk.go(ledger, claims.take(ledger, first, "receive"), State.PUBLISHED)
    assert claims.claim(ledger, second) is None, "a published one is in flight until it is acknowledged"
    claims.advance(ledger, claims.take(ledger, first, "acknowledge"), State.ACKNOWLEDGED)
    assert queue.waits_for(ledger, third) == second
    assert claims.claim(ledger, second) is not None


def test_a_clock_that_is_set_back_does_not_change_the_order(ledger: Ledger, new: MakeDelivery) -> None:
    first = deliveries.see(ledger, new(seen_at=START)).id
    second = deliveries.see(ledger, new(seen_at=START.replace(year=2020))).id
    assert claims.claim(ledger, second) is None
    assert claims.claim(ledger, first) is not None


@pytest.mark.parametrize("other", [{"partner": "lindeby"}, {"table": "item"}])
def test_other_partners_and_tables_do_not_wait(ledger: Ledger, new: MakeDelivery, other: dict[str, str]) -> None:
    walk.start(ledger, deliveries.see(ledger, new()).id)
    assert claims.claim(ledger, deliveries.see(ledger, new(**other)).id) is not None


@pytest.mark.parametrize("state", [State.BLOCKED, State.FAILED])
@pytest.mark.parametrize("after_block", ["wait", "continue"])
def test_after_a_block_the_next_one_waits_or_goes_on(ledger: Ledger, new: MakeDelivery, state: State, after_block: str) -> None:
    stopped, behind = (deliveries.see(ledger, new(after_block=after_block)).id for _ in range(2))
    walk.end(ledger, stopped, state)
    assert queue.waits_for(ledger, behind) == (stopped if after_block == "wait" else None)
    assert (claims.claim(ledger, behind) is None) == (after_block == "wait")


@pytest.mark.parametrize("state", [State.DUPLICATE, State.HELD, State.ACKNOWLEDGED])
def test_a_duplicate_and_one_that_is_held_stop_nobody(ledger: Ledger, new: MakeDelivery, state: State) -> None:
    first, behind = (deliveries.see(ledger, new()).id for _ in range(2))
    walk.end(ledger, first, state)
    assert claims.claim(ledger, behind) is not None


def test_those_that_wait_go_on_when_the_blocked_one_is_dismissed(ledger: Ledger, new: MakeDelivery) -> None:
    stopped, behind = (deliveries.see(ledger, new()).id for _ in range(2))
    walk.end(ledger, stopped, State.BLOCKED)
    claims.dismiss(ledger, stopped, "anne")
    assert claims.claim(ledger, behind) is not None


def test_a_duplicate_in_between_does_not_hide_a_block(ledger: Ledger, new: MakeDelivery) -> None:
    stopped, same, behind = (deliveries.see(ledger, new(after_block=how)).id for how in ("wait", "continue", "wait"))
    walk.end(ledger, stopped, State.BLOCKED)
    walk.end(ledger, same, State.DUPLICATE)
    assert queue.waits_for(ledger, behind) == stopped


def test_one_that_went_on_with_success_settles_the_block_before_it(ledger: Ledger, new: MakeDelivery) -> None:
    stopped, full, behind = (deliveries.see(ledger, new(after_block=how)).id for how in ("wait", "continue", "wait"))
    walk.end(ledger, stopped, State.BLOCKED)
    walk.end(ledger, full, State.ACKNOWLEDGED)
    assert claims.claim(ledger, behind) is not None


def test_a_block_among_files_of_one_look_stops_those_behind_it(ledger: Ledger, new: MakeDelivery) -> None:
    fine, stopped, behind = (one.id for one in deliveries.see_all(ledger, [new(seen_at=START) for _ in range(3)]))
    walk.end(ledger, fine, State.ACKNOWLEDGED)
    walk.end(ledger, stopped, State.BLOCKED)
    assert queue.waits_for(ledger, behind) == stopped


def test_a_replay_goes_before_those_that_wait_for_it_and_frees_them(ledger: Ledger, new: MakeDelivery) -> None:
    stopped, behind = (deliveries.see(ledger, new()).id for _ in range(2))
    walk.end(ledger, stopped, State.BLOCKED)
    replay = deliveries.see(ledger, new(origin=stopped)).id
    assert [one.id for one in queue.next_in_line(ledger)] == [replay]
    walk.end(ledger, replay, State.ACKNOWLEDGED)
    assert claims.claim(ledger, behind) is not None


def test_a_replay_that_is_blocked_frees_nobody_but_its_own_replay_does(ledger: Ledger, new: MakeDelivery) -> None:
    stopped, behind = (deliveries.see(ledger, new()).id for _ in range(2))
    walk.end(ledger, stopped, State.BLOCKED)
    replay = deliveries.see(ledger, new(origin=stopped)).id
    walk.end(ledger, replay, State.BLOCKED)
    assert queue.waits_for(ledger, behind) == stopped
    walk.end(ledger, deliveries.see(ledger, new(origin=replay)).id, State.ACKNOWLEDGED)
    assert queue.waits_for(ledger, behind) is None


def test_a_replay_of_another_delivery_does_not_settle_a_block(ledger: Ledger, new: MakeDelivery) -> None:
    old, stopped, behind = (deliveries.see(ledger, new()).id for _ in range(3))
    walk.end(ledger, old, State.ACKNOWLEDGED)
    walk.end(ledger, stopped, State.BLOCKED)
    walk.end(ledger, deliveries.see(ledger, new(origin=old)).id, State.ACKNOWLEDGED)
    assert queue.waits_for(ledger, behind) == stopped


def test_a_replay_waits_for_the_one_in_flight(ledger: Ledger, new: MakeDelivery) -> None:
    old, flying = (deliveries.see(ledger, new()).id for _ in range(2))
    walk.end(ledger, old, State.ACKNOWLEDGED)
    walk.start(ledger, flying)
    assert claims.claim(ledger, deliveries.see(ledger, new(origin=old)).id) is None


def test_the_first_of_each_line_that_has_none_in_flight_comes_next(ledger: Ledger, new: MakeDelivery) -> None:
    loan, _, item, flying, _ = (deliveries.see(ledger, new(table=table)).id for table in ("loan", "loan", "item", "hold", "hold"))
    walk.start(ledger, flying)
    assert [one.id for one in queue.next_in_line(ledger)] == [loan, item]
    assert [one.id for one in queue.next_in_line(ledger, limit=1)] == [loan]


def test_one_that_is_past_the_line_waits_for_nobody(ledger: Ledger, new: MakeDelivery) -> None:
    one = deliveries.see(ledger, new()).id
    walk.start(ledger, one)
    assert queue.waits_for(ledger, one) is None
