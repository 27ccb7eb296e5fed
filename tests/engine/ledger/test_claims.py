"""A try holds a token, a newer try makes it stale, and a delivery goes only where its life allows."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.engine import clock
from include.engine.delivery import FINISHED, TRANSITIONS, Counts, State, Token
from include.engine.errors import StaleToken, UnknownDelivery, WrongState
from include.engine.ledger import Ledger, claims, deliveries, quarantined
from tests.engine.ledger import walk
from tests.engine.ledger.conftest import MakeDelivery

WAY = [State.CLAIMED, State.STAGED, State.GATED, State.PUBLISHED, State.ACKNOWLEDGED]


@pytest.fixture
def id(ledger: Ledger, new: MakeDelivery) -> str:
    return deliveries.see(ledger, new()).id


def at(ledger: Ledger, id: str, state: State) -> Token:
    """The delivery brought to `state`, with a token for what comes next."""
    token = walk.start(ledger, id)
    if state in WAY:
        for step in WAY[1 : WAY.index(state) + 1]:
            claims.advance(ledger, token, step)
    elif state == State.RETRACTED:
        walk.go(ledger, token, State.PUBLISHED)
        claims.advance(ledger, token, state)
    else:
        claims.advance(ledger, token, state)
    return token


def test_a_delivery_is_claimed_once(ledger: Ledger, id: str) -> None:
    claimed = claims.claim(ledger, id)
    assert claimed is not None
    assert claimed.state == State.CLAIMED
    assert claimed.claimed_at is not None
    assert claims.claim(ledger, id) is None


def test_a_delivery_that_nobody_claimed_cannot_be_worked_on(ledger: Ledger, id: str) -> None:
    with pytest.raises(WrongState, match="claimed"):
        claims.take(ledger, id, "receive")


def test_what_is_not_there_cannot_be_claimed(ledger: Ledger) -> None:
    with pytest.raises(UnknownDelivery):
        claims.claim(ledger, "nobody")


def test_a_newer_try_makes_the_older_token_stale_everywhere(ledger: Ledger, id: str) -> None:
    old = walk.start(ledger, id)
    new = claims.take(ledger, id, "receive")
    claims.check(ledger, new)
    for refused in (
        lambda: claims.check(ledger, old),
        lambda: claims.advance(ledger, old, State.STAGED),
        lambda: claims.note(ledger, old, remark="late"),
    ):
        with pytest.raises(StaleToken, match="overtaken by try 2"):
            refused()
    found = deliveries.get(ledger, id)
    assert (found.state, found.token, found.tries, found.facts) == (State.CLAIMED, 2, 2, {})


def test_a_stale_try_takes_all_it_wrote_with_it(ledger: Ledger, id: str) -> None:
    import pyarrow as pa

    rows = pa.table(
        {"member": [""], "record": [1], "offset": [0], "length": [9], "reason": ["DATE_UNREADABLE"], "column": ["due_on"], "raw": [b"x"]}
    )
    old = walk.start(ledger, id)
    claims.take(ledger, id, "receive")
    with pytest.raises(StaleToken), ledger.begin() as tx:
        quarantined.add(ledger, id, rows, "file:blob", tx=tx)
        claims.advance(ledger, old, State.STAGED, tx=tx)
    assert quarantined.find(ledger) == []


@pytest.mark.parametrize("state", [state for state in State if state != State.SEEN])
def test_a_delivery_goes_only_where_its_life_allows(ledger: Ledger, new: MakeDelivery, state: State) -> None:
    allowed = TRANSITIONS[state] - {State.CLAIMED} - ({State.ACKNOWLEDGED} if state == State.GATED else set())
    for to in State:
        id = deliveries.see(ledger, new(table=f"to_{to}")).id
        token = at(ledger, id, state)
        if to in allowed:
            found = claims.advance(ledger, token, to)
            assert found.state == to
            assert (found.finished_at is not None) == (to in FINISHED)
            assert deliveries.events(ledger, id)[-1].before == state
        else:
            with pytest.raises(WrongState):
                claims.advance(ledger, token, to)
            assert deliveries.get(ledger, id).state == state


def test_facts_go_to_their_columns_and_all_others_into_the_facts(ledger: Ledger, id: str) -> None:
    token = walk.start(ledger, id)
    claims.advance(ledger, token, State.STAGED, staged_uri="file:s", content_hash="sha256:aa", landed={"key_id": "k1"}, rows=3)
    found = claims.advance(ledger, token, State.GATED, contract={"loan": "1.2.0"}, rows=2, counts=Counts(in_=3))
    assert (found.staged_uri, found.content_hash, found.contract) == ("file:s", "sha256:aa", {"loan": "1.2.0"})
    assert found.facts == {"landed": {"key_id": "k1"}, "rows": 2}
    assert found.counts == Counts(in_=3)
    assert [dict(event.facts) for event in deliveries.events(ledger, id)][-1] == {
        "contract": {"loan": "1.2.0"},
        "rows": 2,
        "counts": {"in_": 3},
    }


def test_the_life_of_a_delivery_can_be_read_from_its_events(ledger: Ledger, id: str) -> None:
    walk.end(ledger, id, State.ACKNOWLEDGED)
    told = [(event.kind, event.state, event.token, event.step) for event in deliveries.events(ledger, id)]
    assert told == [
        ("seen", "seen", 0, None),
        ("claimed", "claimed", 0, None),
        ("taken", "claimed", 1, "receive"),
        ("advanced", "staged", 1, "receive"),
        ("advanced", "gated", 1, "receive"),
        ("advanced", "published", 1, "receive"),
        ("advanced", "acknowledged", 1, "receive"),
    ]


@pytest.mark.parametrize("to", [State.BLOCKED, State.HELD, State.PUBLISHED])
def test_a_delivery_whose_counts_do_not_balance_cannot_end(ledger: Ledger, id: str, to: State) -> None:
    token = at(ledger, id, State.GATED)
    with pytest.raises(WrongState, match="5 records came in, but 3 published"):
        claims.advance(ledger, token, to, counts=Counts(in_=5, published=3, quarantined=1))
    assert claims.advance(ledger, token, to, counts=Counts(in_=5, published=3, quarantined=1, held=1)).state == to


def test_a_failure_may_leave_records_unaccounted_for(ledger: Ledger, id: str) -> None:
    token = at(ledger, id, State.STAGED)
    assert claims.advance(ledger, token, State.FAILED, counts=Counts(in_=5), reason="INTERNAL").reason == "INTERNAL"


def test_a_delivery_in_status_test_is_acknowledged_and_never_published(ledger: Ledger, new: MakeDelivery) -> None:
    token = at(ledger, deliveries.see(ledger, new(status="test")).id, State.GATED)
    with pytest.raises(WrongState, match="status test"):
        claims.advance(ledger, token, State.PUBLISHED)
    assert claims.advance(ledger, token, State.ACKNOWLEDGED).published_at is None


def test_a_live_delivery_is_not_acknowledged_unpublished(ledger: Ledger, id: str) -> None:
    with pytest.raises(WrongState, match="before it is published"):
        claims.advance(ledger, at(ledger, id, State.GATED), State.ACKNOWLEDGED)


def test_a_cleared_task_is_done_again_before_publish(ledger: Ledger, id: str) -> None:
    at(ledger, id, State.GATED)
    again = claims.take(ledger, id, "receive")
    assert claims.advance(ledger, again, State.STAGED, staged_uri="file:again").staged_uri == "file:again"


@pytest.mark.parametrize("state", [State.BLOCKED, State.HELD, State.FAILED])
def test_a_stopped_delivery_can_be_opened_again(ledger: Ledger, id: str, state: State) -> None:
    claims.advance(ledger, walk.start(ledger, id), state, reason="DELIVERY_REFUSED", message="a word")
    found = claims.reopen(ledger, id)
    assert found is not None
    assert (found.state, found.reason, found.message, found.finished_at) == (State.CLAIMED, None, None, None)
    walk.go(ledger, claims.take(ledger, id, "receive"), State.ACKNOWLEDGED)


@pytest.mark.parametrize("state", [State.CLAIMED, State.PUBLISHED, State.ACKNOWLEDGED, State.DUPLICATE, State.RETRACTED])
def test_others_cannot_be_opened_again(ledger: Ledger, id: str, state: State) -> None:
    at(ledger, id, state)
    with pytest.raises(WrongState, match="Replay"):
        claims.reopen(ledger, id)


def test_a_stopped_delivery_is_not_opened_while_another_is_in_flight(ledger: Ledger, new: MakeDelivery) -> None:
    first, second = (deliveries.see(ledger, new(after_block="continue")).id for _ in range(2))
    walk.end(ledger, first, State.BLOCKED)
    walk.start(ledger, second)
    assert claims.reopen(ledger, first) is None


def test_a_stopped_delivery_is_not_opened_over_newer_data_unless_it_only_adds(ledger: Ledger, new: MakeDelivery) -> None:
    for mode in ("full", "append"):
        first, second = (deliveries.see(ledger, new(after_block="continue", mode=mode, table=mode)).id for _ in range(2))
        walk.end(ledger, first, State.BLOCKED)
        walk.end(ledger, second, State.ACKNOWLEDGED)
        if mode == "full":
            with pytest.raises(WrongState, match=f"{second} came later"):
                claims.reopen(ledger, first)
        else:
            assert claims.reopen(ledger, first) is not None


def test_only_what_was_stopped_can_be_dismissed(ledger: Ledger, id: str) -> None:
    with pytest.raises(WrongState):
        claims.dismiss(ledger, id, "anne")
    walk.end(ledger, id, State.FAILED)
    assert claims.dismiss(ledger, id, "anne").dismissed_by == "anne"


def test_what_is_opened_again_is_not_dismissed_any_more(ledger: Ledger, id: str) -> None:
    walk.end(ledger, id, State.FAILED)
    claims.dismiss(ledger, id, "anne")
    opened = claims.reopen(ledger, id)
    assert opened is not None and (opened.dismissed_at, opened.dismissed_by) == (None, None)


def test_a_claim_of_which_no_task_has_begun_is_found(ledger: Ledger, new: MakeDelivery) -> None:
    lost, running = (deliveries.see(ledger, new(table=table)).id for table in ("loan", "item"))
    for id in (lost, running):
        claims.claim(ledger, id)
    claims.take(ledger, running, "receive")
    soon = clock.now() + timedelta(seconds=1)
    assert [one.id for one in claims.untriggered(ledger, soon)] == [lost]
    assert claims.untriggered(ledger, clock.now() - timedelta(hours=1)) == []


def test_a_delivery_in_flight_to_which_nothing_happens_is_found(ledger: Ledger, new: MakeDelivery) -> None:
    quiet, ended = (deliveries.see(ledger, new(table=table)).id for table in ("loan", "item"))
    walk.start(ledger, quiet)
    walk.end(ledger, ended, State.BLOCKED)
    assert [one.id for one in claims.stuck(ledger, clock.now() + timedelta(seconds=1))] == [quiet]
    assert claims.stuck(ledger, clock.now() - timedelta(hours=1)) == []
