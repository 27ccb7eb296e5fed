"""The clock is set back by an hour between the tasks of a delivery, and between two deliveries: nothing is lost, twice, or out of order."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from include.engine import clock
from include.engine.delivery import State
from include.engine.dispatch.look import look
from include.engine.errors import StaleToken
from include.engine.inbound.acknowledge import acknowledge
from include.engine.inbound.gate import gate
from include.engine.inbound.publish import publish
from include.engine.inbound.receive import receive
from include.engine.ledger import claims
from tests.flows.conftest import Make
from tests.flows.files import ITEMS, csv, item, items

HOUR = timedelta(hours=1)
STEPS = (receive, gate, publish, acknowledge)


def test_each_task_begins_an_hour_before_the_one_before_it_and_all_is_as_ever(at: Make) -> None:
    house = at()
    house.drop("items_1.csv", csv(ITEMS, items(1, 20)))
    [claimed] = house.claimed()
    start = clock.now()
    for number, step in enumerate(STEPS, start=1):
        with time_machine.travel(start - number * HOUR):
            step(house.engine, claimed.id, house.connector)
            if step is not acknowledge:
                step(house.engine, claimed.id, house.connector)  # and again: a task that was cleared
    done = house.get(claimed.id)
    assert (done.state, done.counts.published, done.counts.added) == (State.ACKNOWLEDGED, 20, 20)
    assert len(house.rows("item")) == 20


def test_a_delivery_that_is_seen_earlier_than_the_one_before_it_is_published_after_it(at: Make) -> None:
    house = at()
    house.drop("items_1.csv", csv(ITEMS, [item(1, branch="FIRST")]))
    first_look = clock.now()
    with time_machine.travel(first_look):
        [first] = look(house.engine, patience=10)
    house.drop("items_2.csv", csv(ITEMS, [item(1, branch="SECOND")]))
    with time_machine.travel(first_look - HOUR):
        assert look(house.engine, patience=10) == []  # it waits for the first one, which was seen later
        assert house.run(first.id).state == State.ACKNOWLEDGED
        [second] = look(house.engine, patience=10)
        assert second.seen_at < first.seen_at
        assert house.run(second.id).state == State.ACKNOWLEDGED
    assert [row["branch"] for row in house.rows("item")] == ["SECOND"]


def test_a_file_that_must_rest_does_not_wait_until_the_clock_has_caught_up(at: Make) -> None:
    house = at(ready="{stable_for: 10s}")
    house.drop("items_1.csv", csv(ITEMS, items(1, 3)))
    start = clock.now()
    with time_machine.travel(start):
        assert look(house.engine, patience=10) == []
    with time_machine.travel(start - HOUR):
        assert look(house.engine, patience=10) == []
    with time_machine.travel(start - HOUR + timedelta(seconds=12)):
        assert len(look(house.engine, patience=10)) == 1


def test_a_try_that_was_overtaken_stays_overtaken_whatever_the_clock_says(at: Make) -> None:
    house = at()
    house.drop("items_1.csv", csv(ITEMS, items(1, 3)))
    [claimed] = house.claimed()
    early = claims.take(house.engine.ledger, claimed.id, "receive")
    with time_machine.travel(clock.now() - HOUR):
        late = claims.take(house.engine.ledger, claimed.id, "receive")
        with pytest.raises(StaleToken):
            claims.check(house.engine.ledger, early)
        claims.check(house.engine.ledger, late)
