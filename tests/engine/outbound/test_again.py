"""A receiver that is away, has perhaps got it, refuses, or answers; what a person takes back or sends again. Nothing is lost, nothing goes twice unasked."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from include.engine import clock
from include.engine.delivery import State
from include.engine.errors import WrongState
from include.engine.ledger import parts, quarantined
from include.engine.ledger.quarantined import Fate
from include.engine.outbound.answers import answered
from include.engine.outbound.connector import Answer
from include.engine.outbound.select import select
from include.engine.replay import answer, replay
from include.engine.retention import enforce
from include.engine.retract import retract
from tests.engine.outbound import letter


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
