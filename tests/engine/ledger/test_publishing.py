"""What is between its commits: the version at which readers stop."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from include.engine import clock
from include.engine.ledger import Ledger, claims, deliveries, manifests, publishing
from include.engine.ledger.manifests import Versions
from tests.engine.ledger.conftest import MakeDelivery


@pytest.fixture
def ids(ledger: Ledger, new: MakeDelivery) -> list[str]:
    """Three deliveries in flight."""
    made = [deliveries.see(ledger, new(partner=f"library{number}")).id for number in range(3)]
    assert all(claims.claim(ledger, id) for id in made)
    return made


def test_readers_stop_before_what_is_between_its_commits(ledger: Ledger, ids: list[str]) -> None:
    mine, theirs, _ = ids
    manifests.pin(ledger, None, {"item": Versions(3, 4), "loan": Versions(6, 7)})
    publishing.begin(ledger, mine, {"item": 4, "loan": 7, "hold": None})
    manifests.pin(ledger, theirs, {"item": Versions(5, 6)})  # version 5 is mine
    assert manifests.latest(ledger) == {"item": 4, "loan": 7}
    manifests.pin(ledger, mine, {"item": Versions(4, 5), "loan": Versions(7, 8), "hold": Versions(0, 1)})
    assert manifests.latest(ledger) == {"hold": 1, "item": 6, "loan": 8}


def test_what_cannot_be_seen_in_one_table_is_seen_in_none_of_its_tables(ledger: Ledger, ids: list[str]) -> None:
    mine, theirs, others = ids
    manifests.pin(ledger, None, {"item": Versions(3, 4), "loan": Versions(6, 7), "fee": Versions(0, 1), "patron": Versions(0, 1)})
    publishing.begin(ledger, mine, {"item": 4, "hold": None})
    manifests.pin(ledger, theirs, {"item": Versions(5, 6), "loan": Versions(7, 8)})
    manifests.pin(ledger, others, {"loan": Versions(8, 9), "fee": Versions(1, 2)})
    manifests.pin(ledger, None, {"patron": Versions(1, 2)})
    assert manifests.latest(ledger) == {"fee": 1, "item": 4, "loan": 7, "patron": 2}
    publishing.end(ledger, mine)
    assert manifests.latest(ledger) == {"fee": 2, "item": 6, "loan": 9, "patron": 2}


def test_a_table_that_nothing_was_seen_of_stays_unseen(ledger: Ledger, ids: list[str]) -> None:
    mine, theirs, _ = ids
    publishing.begin(ledger, mine, {"item": None, "loan": None})
    manifests.pin(ledger, theirs, {"item": Versions(1, 2)})
    assert manifests.latest(ledger) == {}


def test_a_retry_begins_where_the_first_try_did(ledger: Ledger, ids: list[str]) -> None:
    publishing.begin(ledger, ids[0], {"item": 4, "loan": 7})
    publishing.begin(ledger, ids[0], {"item": 5, "loan": 7})
    manifests.pin(ledger, ids[1], {"item": Versions(5, 6)})
    assert manifests.latest(ledger) == {}
    manifests.pin(ledger, ids[2], {"loan": Versions(6, 7)})
    assert manifests.latest(ledger) == {"loan": 7}


def test_an_erasure_is_seen_at_once(ledger: Ledger, ids: list[str]) -> None:
    manifests.pin(ledger, None, {"item": Versions(3, 4)})
    publishing.begin(ledger, ids[0], {"item": 4, "loan": 7})
    manifests.pin(ledger, None, {"item": Versions(None, 6)})
    publishing.passed(ledger, {"item": 6})
    assert manifests.latest(ledger) == {"item": 6}


def test_readers_do_not_wait_for_ever_for_what_is_not_in_flight(ledger: Ledger, new: MakeDelivery, ids: list[str]) -> None:
    forgotten = deliveries.see(ledger, new(partner="library9")).id
    publishing.begin(ledger, forgotten, {"item": 4, "loan": 7})
    manifests.pin(ledger, ids[0], {"item": Versions(5, 6)})
    assert manifests.latest(ledger) == {}
    with time_machine.travel(clock.now() + publishing.LONGEST + timedelta(seconds=1)):
        assert manifests.latest(ledger) == {"item": 6}
