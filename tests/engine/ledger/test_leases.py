"""A lease has one holder at a time, ends with its block or its seconds, and tells a late holder so."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from include.engine.errors import Unreachable
from include.engine.ledger import Ledger
from include.engine.ledger.leases import LeaseTaken, lease


def test_a_lease_is_held_by_one_and_its_holder_is_named(ledger: Ledger) -> None:
    with lease(ledger, "lake:loan", holder="publish x", seconds=60):
        with pytest.raises(LeaseTaken, match="publish x"), lease(ledger, "lake:loan", holder="vacuum", seconds=60):
            pass
        with lease(ledger, "lake:item", holder="vacuum", seconds=60):
            pass
    with lease(ledger, "lake:loan", holder="vacuum", seconds=60):
        pass


def test_a_lease_is_free_after_an_error(ledger: Ledger) -> None:
    with pytest.raises(RuntimeError), lease(ledger, "lake:loan", holder="one", seconds=60):
        raise RuntimeError("the work failed")
    with lease(ledger, "lake:loan", holder="two", seconds=60) as held:
        assert held.token == 2


def test_a_lease_that_ran_out_is_taken_over_and_the_late_holder_hears_of_it(ledger: Ledger) -> None:
    with lease(ledger, "lake:loan", holder="slow", seconds=0) as slow:
        with pytest.raises(LeaseTaken, match="slow ran out"):
            slow.check()
        with lease(ledger, "lake:loan", holder="next", seconds=60) as following:
            with pytest.raises(LeaseTaken):
                slow.renew()
            following.check()


def test_the_end_of_a_late_holder_does_not_free_the_lease_of_its_successor(ledger: Ledger) -> None:
    late = lease(ledger, "lake:loan", holder="slow", seconds=0)
    late.__enter__()
    with lease(ledger, "lake:loan", holder="next", seconds=60) as following:
        late.__exit__(None, None, None)
        following.check()
        with pytest.raises(LeaseTaken, match="held by next"), lease(ledger, "lake:loan", holder="third", seconds=1):
            pass


def test_a_renewed_lease_goes_on(ledger: Ledger) -> None:
    with lease(ledger, "lake:loan", holder="one", seconds=0) as held:
        with pytest.raises(LeaseTaken, match="one ran out"):
            held.check()
        replace(held, seconds=60).renew()
        held.check()


def test_one_that_waits_gets_it_when_it_is_free(ledger: Ledger) -> None:
    first = lease(ledger, "lake:loan", holder="one", seconds=60)
    first.__enter__()
    threading.Timer(0.3, first.__exit__, (None, None, None)).start()
    with lease(ledger, "lake:loan", holder="two", seconds=60, wait=60) as held:
        assert held.token == 2


def test_of_many_that_wait_each_gets_it_alone(ledger: Ledger) -> None:
    inside, most = 0, 0

    def work(name: int) -> None:
        nonlocal inside, most
        with lease(ledger, "lake:loan", holder=str(name), seconds=60, wait=60):
            inside += 1
            most = max(most, inside)
            time.sleep(0.01)
            inside -= 1

    threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_lease_that_cannot_be_had_asks_for_a_retry() -> None:
    assert issubclass(LeaseTaken, Unreachable)
