"""A delivery's life from the lake to a receiver: each record once, however late it comes and whatever dies."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from include.engine import clock
from include.engine.delivery import State
from include.engine.dispatch.start import start
from include.engine.errors import StaleToken, Unreachable, WrongState
from include.engine.ledger import claims, copies, gate_results, manifests, parts, quarantined
from include.engine.ledger.quarantined import Fate
from include.engine.outbound.answers import answered
from include.engine.outbound.confirm import confirm
from include.engine.outbound.connector import Answer
from include.engine.outbound.render import render
from include.engine.outbound.select import select
from include.engine.outbound.send import SendingParts, send
from include.engine.outbound.settled import last_acknowledged
from include.engine.replay import answer, replay
from include.engine.retention import enforce
from include.engine.retract import retract
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


def test_a_receiver_that_cannot_be_reached_fails_the_delivery_and_the_next_one_takes_everything_along(office) -> None:
    office.hold("h1")
    letter.closed = True
    failed = office.sent()
    assert (failed.state, failed.counts.held) == (State.FAILED, 1)
    assert "We could not finish this" in office.receipt(failed)
    letter.closed = False
    office.hold("h2")
    assert office.sent().counts.published == 2
    assert office.taken == ["h1", "h2"]


def test_a_delivery_that_may_have_been_received_holds_up_the_next_until_it_has_ended(office) -> None:
    office.hold("h1")
    letter.fails_after_envelope = True
    doubtful = office.sent()
    assert doubtful.state == State.FAILED
    letter.fails_after_envelope = False
    office.hold("h2")
    blocked = office.sent()
    assert (blocked.state, blocked.reason) == (State.BLOCKED, "OUTBOUND_IN_DOUBT")
    ended = office.run(doubtful.id)
    assert (ended.state, ended.counts.published) == (State.ACKNOWLEDGED, 1)
    assert office.run(blocked.id).counts.published == 1
    assert office.taken == ["h1", "h2"], "the envelope that had come was not sent a second time"


def test_what_may_have_left_is_neither_selected_nor_rendered_anew(office) -> None:
    office.hold("h1")
    letter.fails_after_envelope = True
    doubtful = office.sent()
    before = parts.of(office.engine.ledger, doubtful.id)
    office.hold("h0")
    letter.fails_after_envelope = False
    office.run(doubtful.id)
    after = parts.of(office.engine.ledger, doubtful.id)
    assert [(one.sha256, one.path) for one in after] == [(one.sha256, one.path) for one in before]
    assert office.taken == ["h1"]
    assert office.sent().counts.published == 1


def test_a_doubt_that_a_person_has_dismissed_holds_up_nobody(office) -> None:
    office.hold("h1")
    letter.fails_after_envelope = True
    doubtful = office.sent()
    letter.fails_after_envelope = False
    answer(office.engine, doubtful.id, yes=False, who="kirsten")
    assert office.sent().counts.published == 1
    with pytest.raises(WrongState, match="came later"):
        select(office.engine, doubtful.id, letter)


def test_sealed_parts_in_doubt_outlive_the_night_until_a_person_dismisses_them(office) -> None:
    office.hold("h1")
    letter.fails_after_envelope = True
    doubtful = office.sent()
    letter.fails_after_envelope = False
    files = [office.engine.home / one.path for one in parts.of(office.engine.ledger, doubtful.id)]
    with time_machine.travel(clock.now() + timedelta(days=3)):
        enforce(office.engine)
        assert all(file.exists() for file in files)
        answer(office.engine, doubtful.id, yes=False, who="kirsten")
        enforce(office.engine)
    assert not any(file.exists() for file in files)
    assert not list((office.engine.home / "staging").rglob("*.sealed"))


def test_a_receiver_that_refuses_half_way_gets_the_same_parts_once_its_reason_is_mended(office) -> None:
    office.hold("h1")
    letter.refuses_after_envelope = True
    blocked = office.sent()
    assert blocked.state == State.BLOCKED
    letter.refuses_after_envelope = False
    ended = office.run(blocked.id)
    assert (ended.state, ended.counts.published, office.taken) == (State.ACKNOWLEDGED, 1, ["h1"])
    assert not list((office.engine.home / "staging").rglob("*.sealed"))


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


def test_what_the_receiver_does_not_take_of_a_part_is_set_aside_and_waits(office) -> None:
    office.hold("h1", "h2", "h3")
    letter.turned_down = {"h2"}
    done = office.sent()
    assert (done.counts.in_, done.counts.published, done.counts.quarantined) == (3, 2, 1)
    assert office.settled() == {"h1": "sent", "h2": "waits", "h3": "sent"}
    assert "1 set aside" in office.receipt(done)


def test_a_receiver_that_took_nothing_makes_it_all_due_again(office) -> None:
    office.hold("h1")
    letter.answers = [Answer("FILE_EMPTY", "your letter had no content", taken=False)]
    done = office.sent()
    assert (done.state, done.reason, done.counts.held) == (State.RETRACTED, "FILE_EMPTY", 1)
    assert office.settled() == {}
    assert "did not take it" in office.receipt(done)
    letter.answers = []
    assert office.sent().counts.published == 1


def test_an_answer_that_comes_later_retracts_the_delivery(office) -> None:
    office.hold("h1")
    done = office.sent()
    late = [Answer("FILE_EMPTY", "your letter had no content", taken=False)]
    assert answered(office.engine, done.id, late, who="post").state == State.RETRACTED
    assert answered(office.engine, done.id, late, who="post").state == State.RETRACTED
    assert len(office.get(done.id).facts["answers"]) == 1
    assert office.sent().counts.published == 1
    assert office.taken == ["h1", "h1"]


def test_an_answer_that_leaves_it_open_is_only_noted(office) -> None:
    office.hold("h1")
    done = office.sent()
    assert answered(office.engine, done.id, [Answer("FILE_EMPTY", "who are you?")], who="post").state == State.ACKNOWLEDGED
    assert office.get(done.id).facts["answers"][0]["words"] == "who are you?"


def test_a_retracted_delivery_is_due_again(office) -> None:
    office.hold("h1")
    done = office.sent()
    retract(office.engine, done.id, who="kirsten")
    assert office.sent().counts.published == 1
    assert office.taken == ["h1", "h1"]


def test_a_replay_sends_the_same_records_again_and_nothing_else(office) -> None:
    office.hold("h1", "h2")
    first = office.sent()
    office.hold("h3")
    again = replay(office.engine, first.id, who="kirsten")
    assert [one.id for one in office.claimed()] == [again.id]
    assert office.run(again.id).counts.published == 2
    assert office.taken == ["h1", "h2", "h1", "h2"]
    assert office.sent().counts.published == 1
    with pytest.raises(WrongState, match="no record of this delivery was set aside for record 1"):
        replay(office.engine, first.id, record=1, who="kirsten")


def test_a_replay_of_one_reason_or_one_record_sends_that_alone_and_its_origin_is_resolved(office) -> None:
    office.hold(*(f"h{number}" for number in range(10, 40)))
    letter.turned_down = {"h11", "h12"}
    first = office.sent()
    refused = quarantined.find(office.engine.ledger, delivery_id=first.id)
    reason, before = refused[0].reason, len(office.taken)
    letter.turned_down = set()
    office.hold("later")
    one = replay(office.engine, first.id, record=refused[0].record, member=refused[0].member, who="kirsten")
    office.claimed()
    assert office.run(one.id).counts.published == 1
    assert office.taken[before:] == [refused[0].member]
    rest = replay(office.engine, first.id, reason=reason, who="kirsten")
    office.claimed()
    done = office.run(rest.id)
    assert sorted(office.taken[before:]) == ["h11", "h12"]
    fates = {row.member: (row.state, row.note) for row in quarantined.find(office.engine.ledger, delivery_id=first.id)}
    assert fates == {refused[0].member: (Fate.REPLAYED, one.id), refused[1].member: (Fate.REPLAYED, done.id)}
    with pytest.raises(WrongState, match="set aside for reason"):
        replay(office.engine, first.id, reason=reason, who="kirsten")


def test_a_replay_of_what_never_left_is_a_new_selection(office) -> None:
    office.hold("h1")
    letter.closed = True
    failed = office.sent()
    letter.closed = False
    office.hold("h2")
    again = replay(office.engine, failed.id, who="kirsten")
    office.claimed()
    assert office.run(again.id).counts.published == 2


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
