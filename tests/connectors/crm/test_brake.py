"""What waits for a person, what a test partner is told, and what becomes of a row that was refused."""

from __future__ import annotations

from include.engine.delivery import State
from include.engine.ledger import deliveries, quarantined
from include.engine.ledger.quarantined import Fate
from include.engine.replay import answer, replay

ANA = {"email": "ana@lindeby.example", "phone": "+45 00123456"}


def test_more_than_the_brake_lets_pass_is_held_with_the_figures_until_a_person_approves(library, org) -> None:
    library.settle("    brake: {changed: 20%, removed: 5%, from: 3}\n")
    library.has(**{f"p{number}": ANA for number in range(20)})
    library.sync()
    library.has(**{f"p{number}": {"email": "new@lindeby.example"} for number in range(4)})
    assert library.figures(library.sync()) == {"updated": 4}
    org.state.calls.clear()
    library.has(**{f"p{number}": {"email": "other@lindeby.example"} for number in range(5)})
    held = library.sync()
    assert (held.state, held.reason) == (State.HELD, "CRM_MANY_CHANGES")
    assert "contact 5 changed" in library.receipt(held)
    assert org.state.calls == []
    approved = answer(library.engine, held.id, yes=True, who="kirsten")
    assert [one.id for one in library.claimed()] == [approved.id]
    assert library.figures(library.run(approved.id)) == {"updated": 5}


def test_a_register_that_came_empty_is_held_as_a_mass_removal(library, org) -> None:
    library.settle("    brake: {from: 3}\n")
    library.has(**{f"p{number}": ANA for number in range(10)})
    library.sync()
    library.has(**dict.fromkeys(list(library.register)[1:]))
    held = library.sync()
    assert (held.state, held.reason) == (State.HELD, "CRM_MANY_CHANGES")
    assert "9 removed" in library.receipt(held)
    answer(library.engine, held.id, yes=False, who="kirsten")
    assert deliveries.get(library.engine.ledger, held.id).dismissed_by == "kirsten"


def test_a_partner_in_status_test_sends_nothing_and_is_told_what_it_would_have_been(library, org) -> None:
    library.settle(status="test")
    library.has(p1=ANA)
    done = library.sync()
    assert (done.state, done.facts["would_send"]["parts"]) == (State.ACKNOWLEDGED, 1)
    assert (org.state.calls, library.settled()) == ([], {})


def test_a_row_that_the_crm_refused_stays_out_until_it_is_mended_or_replayed(library, org) -> None:
    library.has(p1={"email": "no address"}, p2=ANA)
    first = library.sync()
    assert (library.figures(first), first.counts.quarantined) == ({"created": 1, "refused": 1}, 1)
    assert library.sync().counts.in_ == 0
    again = replay(library.engine, first.id, who="kirsten")
    assert [one.id for one in library.claimed()] == [again.id]
    assert library.figures(library.run(again.id)) == {"updated": 1, "refused": 1}
    library.has(p1={"email": "mended@lindeby.example"})
    assert library.figures(library.sync()) == {"created": 1}


def test_rejected_rows_are_replayed_by_reason_once_the_crm_is_mended_and_no_other_goes(library, org) -> None:
    library.has(p1={"email": "no address"}, p2=ANA, p3={"last_name": "x" * 300})
    first = library.sync()
    rejected = {one.reason: one for one in quarantined.find(library.engine.ledger, delivery_id=first.id)}
    assert set(rejected) == {"CRM_VALUE_INVALID", "CRM_VALUE_TOO_LONG"}
    library.has(p4=ANA)
    again = replay(library.engine, first.id, reason="CRM_VALUE_INVALID", who="kirsten")
    library.claimed()
    done = library.run(again.id)
    assert (library.figures(done), done.counts.in_) == ({"refused": 1}, 1)
    one = rejected["CRM_VALUE_INVALID"]
    library.has(p1={"email": "mended@lindeby.example"})
    by_number = replay(library.engine, first.id, record=one.record, member=one.member, who="kirsten")
    library.claimed()
    assert library.figures(library.run(by_number.id)) == {"created": 1}
    fates = {row.reason: row.state for row in quarantined.find(library.engine.ledger, delivery_id=first.id)}
    assert fates == {"CRM_VALUE_INVALID": Fate.REPLAYED, "CRM_VALUE_TOO_LONG": Fate.OPEN}
    assert library.figures(library.sync()) == {"created": 1}


def test_a_replay_that_is_asked_for_twice_goes_once(library, org) -> None:
    library.has(p1={"email": "no address"}, p2=ANA)
    first = library.sync()
    made = [replay(library.engine, first.id, reason="CRM_VALUE_INVALID", who=who).id for who in ("kirsten", "bo")]
    assert made[0] == made[1]
    assert [one.id for one in library.claimed()] == made[:1]
