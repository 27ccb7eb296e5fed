"""Many threads and many processes at once: each delivery is claimed once, one of a table is in flight, newer tokens win."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from include.engine.delivery import IN_FLIGHT, State
from include.engine.errors import StaleToken
from include.engine.ledger import Ledger, claims, deliveries, queue
from tests.engine.ledger import walk
from tests.engine.ledger.conftest import MakeDelivery

ROOT = Path(__file__).parents[3]
WORKER = """
import json, sys
from include.engine.delivery import Counts, State
from include.engine.ledger import Ledger, claims, queue

ledger, mine = Ledger(sys.argv[1]), []
input()
while waiting := queue.next_in_line(ledger):
    for one in waiting:
        if claims.claim(ledger, one.id) is None:
            continue
        mine.append(one.id)
        token = claims.take(ledger, one.id, "work")
        for state in (State.STAGED, State.GATED, State.PUBLISHED, State.ACKNOWLEDGED):
            claims.advance(ledger, token, state, counts=Counts(in_=1, published=1))
print(json.dumps(mine))
"""


def together(count: int, work: object) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_processes_share_the_work_and_nothing_is_done_twice_or_out_of_order(ledger: Ledger, new: MakeDelivery) -> None:
    tables = ("loan", "item", "patron")
    made = deliveries.see_all(ledger, [new(table=tables[number % 3]) for number in range(24)])
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    start = [sys.executable, "-c", WORKER, ledger.url]
    running = [subprocess.Popen(start, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    done = [json.loads(process.communicate("\n")[0]) for process in running]
    assert Counter(id for mine in done for id in mine).most_common(1)[0][1] == 1
    waiting = queue.next_in_line(ledger)
    while waiting:  # all workers may have found the line empty while the last ones were in flight
        for one in waiting:
            walk.end(ledger, one.id, State.ACKNOWLEDGED)
        waiting = queue.next_in_line(ledger)
    ended = [deliveries.get(ledger, one.id) for one in made]
    assert {one.state for one in ended} == {State.ACKNOWLEDGED}
    for table in tables:
        mine = sorted((one for one in ended if one.table == table), key=lambda one: one.arrival)
        for before, after in itertools.pairwise(mine):
            assert before.finished_at is not None and after.claimed_at is not None
            assert before.finished_at <= after.claimed_at


def test_of_many_threads_that_claim_one_delivery_one_gets_it(ledger: Ledger, new: MakeDelivery) -> None:
    ids = [deliveries.see(ledger, new(table=f"table_{number}")).id for number in range(10)]
    got: list[str] = []

    def claim_all(_: int) -> None:
        got.extend(id for id in ids if claims.claim(ledger, id) is not None)

    together(6, claim_all)
    assert sorted(got) == sorted(ids)


def test_of_many_that_claim_in_bulk_each_gets_others(ledger: Ledger, new: MakeDelivery) -> None:
    ids = [one.id for one in deliveries.see_all(ledger, [new(table=f"table_{number}") for number in range(120)])]
    got: list[str] = []
    together(3, lambda _: got.extend(one.id for one in claims.claim_all(ledger, ids)))
    assert sorted(got) == sorted(ids)


def test_of_many_deliveries_of_one_table_that_are_claimed_at_once_one_flies(ledger: Ledger, new: MakeDelivery) -> None:
    old = deliveries.see(ledger, new()).id
    walk.end(ledger, old, State.ACKNOWLEDGED)
    replays = [
        deliveries.see(ledger, new(origin=old)).id for _ in range(6)
    ]  # none waits for another in the line: only for the one that flies
    together(6, lambda number: claims.claim(ledger, replays[number]))
    assert len(deliveries.find(ledger, states=IN_FLIGHT)) == 1


def test_of_many_tries_at_once_only_the_newest_can_write(ledger: Ledger, new: MakeDelivery) -> None:
    id = deliveries.see(ledger, new()).id
    claims.claim(ledger, id)
    tokens, ready, wrote, stale = [], threading.Barrier(6), [], []

    def work(_: int) -> None:
        token = claims.take(ledger, id, "receive")
        tokens.append(token.value)
        ready.wait()
        try:
            claims.advance(ledger, token, State.STAGED, staged_uri=f"file:{token.value}")
            wrote.append(token.value)
        except StaleToken:
            stale.append(token.value)

    together(6, work)
    assert sorted(tokens) == [1, 2, 3, 4, 5, 6]
    assert (wrote, sorted(stale)) == ([6], [1, 2, 3, 4, 5])
    assert deliveries.get(ledger, id).staged_uri == "file:6"


def test_the_same_file_seen_by_many_at_once_is_one_delivery(ledger: Ledger, new: MakeDelivery) -> None:
    one = new()
    together(6, lambda _: deliveries.see(ledger, one))
    assert len(deliveries.find(ledger)) == 1
    assert len(deliveries.events(ledger, one.id)) == 1


def test_a_fence_that_was_checked_in_a_transaction_holds_until_its_end(ledger: Ledger, new: MakeDelivery) -> None:
    id = deliveries.see(ledger, new()).id
    token = walk.start(ledger, id)
    taken = threading.Event()

    def take_over() -> None:
        claims.take(ledger, id, "receive")
        taken.set()

    with ledger.begin() as tx:
        claims.check(ledger, token, tx=tx)
        newer = threading.Thread(target=take_over)
        newer.start()
        assert not taken.wait(0.3)
        claims.advance(ledger, token, State.STAGED, tx=tx)
    newer.join()
    assert deliveries.get(ledger, id).state == State.STAGED
