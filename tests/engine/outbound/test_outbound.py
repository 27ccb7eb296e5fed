"""A delivery's life from the lake to a receiver: each record once, however late it comes and whatever dies."""

from __future__ import annotations

import pytest

from include.engine.delivery import State
from include.engine.dispatch.start import start
from include.engine.errors import StaleToken, Unreachable, WrongState
from include.engine.ledger import claims, copies, gate_results, manifests, parts, quarantined
from include.engine.outbound.confirm import confirm
from include.engine.outbound.render import render
from include.engine.outbound.select import select
from include.engine.outbound.send import SendingParts, send
from include.engine.outbound.settled import last_acknowledged
from include.engine.replay import answer
from tests.engine.outbound import letter


def test_what_is_due_leaves_once_and_is_settled(office) -> None:
    office.hold("h1", "h2")
    done = office.sent()
    assert (done.state, done.counts.in_, done.counts.published, done.counts.filtered) == (State.ACKNOWLEDGED, 2, 2, 0)
    assert office.taken == ["h1", "h2"]
    assert office.settled() == {"h1": "sent", "h2": "sent"}
    assert done.facts["pins"] == {"holding": manifests.latest(office.engine.ledger)["holding"]}
    assert done.contract == {"ils_holding": office.engine.contract("ils_holding").version}
    assert gate_results.of(office.engine.ledger, done.id)
    assert "2 records: 2 sent" in office.receipt(done)
    assert "Sent: 2 parts" in office.receipt(done)
    assert last_acknowledged(office.engine, "lindeby", "letters").id == done.id


def test_the_next_one_sends_only_what_has_come_since_and_a_late_one_once(office) -> None:
    office.hold("h2")
    office.sent()
    office.hold("h1", "h3")
    assert office.sent().counts.published == 2
    again = office.sent()
    assert (again.state, again.counts.in_) == (State.ACKNOWLEDGED, 0)
    assert office.taken == ["h2", "h1", "h3"]
    assert "Nothing was due" in office.receipt(again)
    assert parts.of(office.engine.ledger, again.id) == []


def test_a_record_that_is_only_changed_does_not_go_again(office) -> None:
    office.hold("h1")
    office.sent()
    office.hold("h1", statement="v.1-9")
    assert office.sent().counts.in_ == 0
    assert office.taken == ["h1"]


def test_what_is_left_out_is_counted_by_reason_once_and_what_waits_is_asked_again_when_it_is_another(office) -> None:
    office.hold("h1")
    office.hold("a1", branch="attic")
    office.hold("w1", statement=None)
    done = office.sent()
    assert (done.counts.in_, done.counts.published, done.counts.filtered) == (3, 1, 2)
    assert done.facts["filtered"] == {"COMMENT": 1, "KEY_MISSING": 1}
    assert office.settled() == {"h1": "sent", "a1": "left", "w1": "waits"}
    assert office.sent().counts.in_ == 0
    office.hold("w1", statement="v.7")
    assert office.sent().counts.published == 1
    assert office.taken == ["h1", "w1"]


def test_a_row_that_may_not_leave_is_set_aside_and_comes_again_only_when_it_is_mended(office) -> None:
    office.hold(*(f"h{number}" for number in range(10, 40)))
    office.hold("bad", statement="lent to 010190-1234")
    done = office.sent()
    assert (done.state, done.counts.in_, done.counts.published, done.counts.quarantined) == (State.ACKNOWLEDGED, 31, 30, 1)
    [found] = quarantined.find(office.engine.ledger, delivery_id=done.id)
    assert (found.reason, found.member) == ("IDENTITY_IN_TABLE", "bad")
    assert "010190" not in office.receipt(done)
    assert office.settled()["bad"] == "waits"
    assert office.sent().counts.in_ == 0
    office.hold("bad", statement="mended")
    assert office.sent().counts.published == 1


def test_in_status_test_everything_runs_and_nothing_leaves(office) -> None:
    office.settle(status="test")
    office.hold("h1")
    done = office.sent()
    assert (done.state, done.counts.published) == (State.ACKNOWLEDGED, 1)
    assert done.facts["would_send"]["parts"] == 2
    assert office.taken == [] and office.settled() == {} and not list(letter.box.iterdir())
    assert copies.find(office.engine.ledger, delivery_id=done.id) == []
    assert "You are in test" in office.receipt(done)
    office.settle(status="live")
    office.sent()
    assert office.taken == ["h1"]


def test_what_left_the_house_is_noted_before_it_leaves(office) -> None:
    office.hold("h1")
    done = office.sent()
    found = [one.uri for one in copies.find(office.engine.ledger, delivery_id=done.id)]
    assert sorted(found) == [f"sftp://post/{done.id[-8:]}.{kind}" for kind in ("envelope", "letter")]


def test_nothing_of_it_lies_unsealed_and_all_of_it_is_gone_at_the_end(office) -> None:
    office.hold("h1secret")
    made = office.begun()
    select(office.engine, made.id, letter)
    render(office.engine, made.id, letter)
    files = [path for path in (office.engine.home / "staging").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"h1secret" in path.read_bytes()]
    send(office.engine, made.id, letter)
    confirm(office.engine, made.id, letter)
    assert not [path for path in (office.engine.home / "staging").rglob("*") if path.is_file()]


def test_each_step_may_run_twice(office) -> None:
    office.hold("h1", "h2")
    made = office.begun()
    for step in (select, render, send, confirm):
        step(office.engine, made.id, letter)
        step(office.engine, made.id, letter)
    assert office.taken == ["h1", "h2"]
    assert office.get(made.id).state == State.ACKNOWLEDGED


def test_a_try_that_was_overtaken_can_send_nothing(office) -> None:
    office.hold("h1")
    made = office.begun()
    select(office.engine, made.id, letter)
    render(office.engine, made.id, letter)
    old = SendingParts(office.engine, office.get(made.id), claims.take(office.engine.ledger, made.id, "send"))
    claims.take(office.engine.ledger, made.id, "send")
    with pytest.raises(StaleToken):
        old.begin(old.parts[0], "sftp://post/x")
    with pytest.raises(StaleToken):
        old.done(old.parts[0])
    assert copies.find(office.engine.ledger, delivery_id=made.id) == []


def test_far_more_than_usual_is_held_until_a_person_approves(office) -> None:
    office.settle(more=', records: "0..1"')
    office.hold("h1", "h2")
    held = office.sent()
    assert (held.state, held.reason, held.counts.held) == (State.HELD, "RECORDS_OUT_OF_RANGE", 2)
    assert "a person must approve it" in office.receipt(held)
    approved = answer(office.engine, held.id, yes=True, who="kirsten")
    office.claimed()
    assert office.run(approved.id).counts.published == 2


def test_a_step_out_of_its_turn_is_refused(office) -> None:
    office.hold("h1")
    made = office.begun()
    with pytest.raises(WrongState):
        send(office.engine, made.id, letter)
    with pytest.raises(WrongState):
        render(office.engine, made.id, letter)


def test_a_run_started_by_hand_claims_its_delivery_and_waits_its_turn(office) -> None:
    office.hold("h1")
    first, second = (start(office.engine, "lindeby", "letters", who="kirsten") for _ in range(2))
    select(office.engine, first.id, letter)
    with pytest.raises(Unreachable, match="goes first"):
        select(office.engine, second.id, letter)


def test_a_delivery_of_which_too_much_is_bad_is_blocked_and_nothing_leaves(office) -> None:
    office.hold("h1")
    office.hold(*(f"bad{number}" for number in range(20)), statement="lent to 010190-1234")
    blocked = office.sent()
    assert (blocked.state, blocked.counts.quarantined, blocked.counts.held) == (State.BLOCKED, 20, 1)
    assert office.taken == [] and office.settled() == {}
    assert "Nothing was sent" in office.receipt(blocked)
