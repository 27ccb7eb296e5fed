"""What is forgotten of a delivery that is long over, and what never is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
import time_machine

from include.engine import clock
from include.engine.delivery import Delivery, State
from include.engine.ledger import Ledger, claims, deliveries, gate_results, history, keys, quarantined, receipts
from include.engine.ledger.quarantined import Fate
from include.engine.metrics.read import Measure, read
from tests.engine.ledger.conftest import START, MakeDelivery
from tests.engine.ledger.test_quarantined import aside
from tests.engine.ledger.walk import end, start

DAY = timedelta(days=1)
SEALED = ("delivery", "quarantine")


@dataclass(frozen=True)
class Rule:
    rule: str
    failed: int = 0
    severity: str = "quarantine"
    reason: str | None = None
    checked: int = 10
    passed: bool = True


class Left(NamedTuple):
    events: int
    rules: list[str]
    whole: bool


def left(ledger: Ledger, one: Delivery) -> Left:
    found = [row.rule for row in gate_results.of(ledger, one.id)]
    return Left(len(deliveries.events(ledger, one.id)), found, history.whole(ledger, one.id))


def judged(ledger: Ledger, new: MakeDelivery, state: State) -> Delivery:
    id = deliveries.see(ledger, new()).id
    gate_results.add(ledger, id, "lake", "loan", "1.0.0", [Rule("held"), Rule("broken", failed=2)])
    if state == State.SEEN:
        return deliveries.get(ledger, id)
    if state == State.CLAIMED:
        start(ledger, id)
        return deliveries.get(ledger, id)
    return end(ledger, id, state)


def broken_so_far(ledger: Ledger) -> Measure:
    return next(one for one in read(ledger) if one.name == "bindery_contract_failures_total")


def forgotten(ledger: Ledger, after: timedelta = 400 * DAY, most: int = 500) -> int:
    return history.forget(ledger, clock.now() + after - 365 * DAY, sealed=SEALED, most=most)


def test_the_steps_of_what_is_long_over_go_and_the_rules_that_held_and_the_delivery_stays(ledger: Ledger, new: MakeDelivery) -> None:
    done = [judged(ledger, new, State.ACKNOWLEDGED) for _ in range(5)]
    assert left(ledger, done[0]).rules == ["held", "broken"] and left(ledger, done[0]).whole
    before = broken_so_far(ledger)
    assert forgotten(ledger, after=300 * DAY) == 0
    assert forgotten(ledger, most=2) == 5
    assert forgotten(ledger) == 0
    for one in done:
        assert left(ledger, one) == (0, ["broken"], False)
        assert deliveries.get(ledger, one.id) == one
    assert broken_so_far(ledger) == before, "a counter never falls"


@pytest.mark.parametrize("state", [State.SEEN, State.CLAIMED, State.HELD, State.BLOCKED, State.FAILED])
def test_what_is_not_over_keeps_its_history_until_a_person_says_that_it_is(ledger: Ledger, new: MakeDelivery, state: State) -> None:
    one = judged(ledger, new, state)
    assert forgotten(ledger) == 0
    if state in {State.HELD, State.BLOCKED, State.FAILED}:
        claims.dismiss(ledger, one.id, "erik")
        assert forgotten(ledger) == 1


def test_what_waits_in_quarantine_keeps_its_delivery_s_history(ledger: Ledger, new: MakeDelivery) -> None:
    one = judged(ledger, new, State.ACKNOWLEDGED)
    quarantined.add(ledger, one.id, aside(("DATE_UNREADABLE", "due_on")), "file:blob")
    assert forgotten(ledger) == 0
    quarantined.end(ledger, one.id, Fate.DISCARDED, note="retention")
    assert forgotten(ledger) == 1


@pytest.mark.parametrize("purpose", SEALED)
def test_whose_bytes_are_still_kept_keeps_its_history(ledger: Ledger, new: MakeDelivery, purpose: str) -> None:
    one = judged(ledger, new, State.ACKNOWLEDGED)
    keys.add(ledger, "k1", purpose, one.id, b"wrapped")
    assert forgotten(ledger) == 0
    keys.destroy(ledger, "k1", why="retention")
    assert forgotten(ledger) == 1


def test_what_happens_to_one_afterwards_is_a_history_of_its_own_and_not_a_whole_one(ledger: Ledger, new: MakeDelivery) -> None:
    one = judged(ledger, new, State.FAILED)
    claims.dismiss(ledger, one.id, "erik")
    assert forgotten(ledger) == 1
    with time_machine.travel(START + 500 * DAY):
        claims.reopen(ledger, one.id)
    assert left(ledger, one) == (1, ["broken"], False)


@pytest.mark.parametrize("fate", [Fate.DISCARDED, Fate.REPLAYED, Fate.ERASED])
def test_records_that_nobody_has_to_decide_on_go_with_the_history_however_many(
    ledger: Ledger, new: MakeDelivery, fate: Fate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "ROWS", 2)
    one, other = judged(ledger, new, State.ACKNOWLEDGED), judged(ledger, new, State.ACKNOWLEDGED)
    for of in (one, other):
        quarantined.add(ledger, of.id, aside(*[("DATE_UNREADABLE", "due_on")] * 5), "file:blob")
    quarantined.end(ledger, one.id, fate, note="erik: no")
    assert forgotten(ledger) == 1
    assert quarantined.find(ledger, delivery_id=one.id) == [] and left(ledger, one).events == 0
    assert len(quarantined.find(ledger, delivery_id=other.id, state=Fate.OPEN)) == 5
    quarantined.set_state(ledger, [quarantined.find(ledger)[0].id], fate)
    assert forgotten(ledger) == 0, "a delivery with one open case keeps all of them"
    assert len(quarantined.find(ledger, delivery_id=other.id)) == 5


def test_records_of_a_delivery_whose_steps_went_before_them_go_too(ledger: Ledger, new: MakeDelivery) -> None:
    one = judged(ledger, new, State.ACKNOWLEDGED)
    assert forgotten(ledger) == 1
    quarantined.add(ledger, one.id, aside(("DATE_UNREADABLE", "due_on")), "file:blob")
    quarantined.end(ledger, one.id, Fate.DISCARDED, note="retention")
    assert (forgotten(ledger), forgotten(ledger)) == (1, 0)
    assert quarantined.find(ledger) == []


def test_what_an_erasure_emptied_stays_for_as_long_again_since_its_certificate_counts_it(ledger: Ledger, new: MakeDelivery) -> None:
    one = judged(ledger, new, State.ACKNOWLEDGED)
    keys.add(ledger, "k1", "delivery", one.id, b"wrapped")
    quarantined.add(ledger, one.id, aside(*[("DATE_UNREADABLE", "due_on")] * 2), "file:blob")
    erased, replayed = quarantined.find(ledger)
    quarantined.set_state(ledger, [replayed.id], Fate.REPLAYED)
    quarantined.set_state(ledger, [erased.id], Fate.ERASED, note="erasure 7")
    with time_machine.travel(clock.now() + 40 * DAY):
        keys.destroy(ledger, "k1", why="erasure 7")
    assert forgotten(ledger) == 1
    assert [row.id for row in quarantined.find(ledger)] == [erased.id]
    assert forgotten(ledger, after=406 * DAY) == 1
    assert quarantined.find(ledger) == []


def test_rows_of_receipts_go_when_both_periods_are_over_and_a_partner_s_own_file_stays_known(ledger: Ledger, new: MakeDelivery) -> None:
    one, waits = judged(ledger, new, State.ACKNOWLEDGED), judged(ledger, new, State.HELD)
    kinds = {"own txt": "file:receipts/x.txt", "mail blocked": "mailto:a@example.org", "partner txt": "sftp://x/receipts/x.txt"}
    for of in (one, waits):
        for kind, uri in kinds.items():
            receipts.add(ledger, of.id, kind, uri, "da")
    early, late = one.seen_at - DAY, clock.now() + 400 * DAY

    def forget(before: datetime, seen_before: datetime, partner: str = one.partner) -> int:
        return history.forget_receipts(ledger, partner, before, seen_before=seen_before, sealed=SEALED, most=1)

    assert (forget(early, late), forget(late, early), forget(late, late, "another")) == (0, 0, 0)
    assert (forget(late, late), forget(late, late)) == (2, 0)
    assert [row.kind for row in receipts.of(ledger, one.id)] == ["partner txt"]
    assert len(receipts.of(ledger, waits.id)) == 3
