"""Two harvests of one repository at once: one goes, the other waits; and a try that comes after a dead one does not wait for it."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from hashlib import sha256

import sqlalchemy as sa

from include.engine.delivery import State
from include.engine.dispatch.look import look
from include.engine.dispatch.start import start
from include.engine.inbound.receive import receive
from include.engine.ledger.leases import lease
from include.engine.ledger.schema import lease as leases
from tests.connectors.oai_pmh.harvest.conftest import House, same
from tests.connectors.oai_pmh.harvest.repository import made


def name(url: str) -> str:
    return f"oai:{sha256(url.encode()).hexdigest()[:16]}"


def test_of_two_harvests_at_once_one_waits_for_the_other(house, serve) -> None:
    repository = serve(made(60))
    at_once, most, lock = [0], [0], threading.Lock()

    def fault(request, answer):
        if not request.token:
            return
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.1)
        with lock:
            at_once[0] -= 1
        return

    repository.fault = fault
    other = House(house.engine, house.connector, "molendal")
    ids = []
    for one in (house, other):
        one.settle(repository.url, longest="60s")
        ids.append(start(house.engine, one.partner, "oai_harvest", who="kirsten").id)
    assert {one.id for one in look(house.engine)} == set(ids)
    threads = [threading.Thread(target=receive, args=(house.engine, id, house.connector)) for id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [house.get(id).state for id in ids] == [State.STAGED] * 2
    assert most == [1]
    for id in ids:
        house.run(id)
    for one in (house, other):
        same(one, repository)


def test_one_that_waits_too_long_is_tried_again_later(house, serve) -> None:
    repository = serve(made(5))
    house.settle(repository.url, longest="0s")
    with lease(house.engine.ledger, name(repository.url), holder="another", seconds=60):
        failed = house.harvest()
    assert (failed.state, len(repository.requests)) == (State.FAILED, 0)
    assert house.run(failed.id).state == State.ACKNOWLEDGED


def test_a_repository_is_held_for_longer_than_it_may_be_silent(house, serve) -> None:
    """Else another harvest would begin while this one waits for a slow answer."""
    repository, left = serve(made(5)), []

    def fault(request, answer):
        with house.engine.ledger.read() as tx:
            row = tx.execute(sa.select(leases.c.expires_at).where(leases.c.name == name(repository.url))).one()
            left.append(row.expires_at - house.engine.ledger.now(tx))

    repository.fault = fault
    house.settle(repository.url, timeout="30min")
    house.harvest()
    assert min(left) > timedelta(minutes=30)


def test_a_try_takes_over_what_an_earlier_one_of_the_same_delivery_held(house, serve) -> None:
    repository = serve(made(5))
    house.settle(repository.url, longest="0s")
    delivery = house.started()
    with lease(house.engine.ledger, name(repository.url), holder=delivery.id, seconds=600):
        assert house.run(delivery.id).state == State.ACKNOWLEDGED
