"""Deliveries are entered once, found again, and remember what happened to them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.engine.delivery import State
from include.engine.errors import UnknownDelivery, WrongState
from include.engine.ledger import Ledger, claims, deliveries
from tests.engine.ledger import walk
from tests.engine.ledger.conftest import START, MakeDelivery


def test_a_delivery_is_entered_once_however_often_it_is_seen(ledger: Ledger, new: MakeDelivery) -> None:
    one = new(facts={"by": "hand"}, origin_filter={"reason": "LOAN_IN_FUTURE"})
    first = deliveries.see(ledger, one)
    assert deliveries.see(ledger, one) == first
    assert (first.state, first.facts, first.origin_filter) == (State.SEEN, {"by": "hand"}, {"reason": "LOAN_IN_FUTURE"})
    assert [event.kind for event in deliveries.events(ledger, one.id)] == ["seen"]


def test_a_delivery_seen_again_later_stays_as_it_is(ledger: Ledger, new: MakeDelivery) -> None:
    one = new()
    deliveries.see(ledger, one)
    walk.end(ledger, one.id, State.ACKNOWLEDGED)
    assert deliveries.see(ledger, one).state == State.ACKNOWLEDGED


def test_another_file_with_the_same_id_is_not_swallowed(ledger: Ledger, new: MakeDelivery) -> None:
    deliveries.see(ledger, new(id="same"))
    with pytest.raises(WrongState, match="salt"):
        deliveries.see(ledger, new(id="same"))


def test_many_are_entered_together_or_not_at_all(ledger: Ledger, new: MakeDelivery) -> None:
    with pytest.raises(UnknownDelivery):
        deliveries.see_all(ledger, [new(), new(origin="nobody")])
    assert deliveries.find(ledger) == []


def test_files_of_one_look_arrive_the_older_first_then_by_name(ledger: Ledger, new: MakeDelivery) -> None:
    files = [("b.csv", 2), ("a.csv", 2), ("z.csv", 1)]
    made = deliveries.see_all(ledger, [new(seen_at=START, path=path, mtime_ns=mtime_ns) for path, mtime_ns in files])
    assert [one.path for one in made] == ["b.csv", "a.csv", "z.csv"]
    assert [one.path for one in sorted(made, key=lambda one: one.arrival)] == ["z.csv", "a.csv", "b.csv"]


def test_a_file_name_that_is_no_valid_text_is_entered_as_escapes(ledger: Ledger, new: MakeDelivery) -> None:
    one = new(path="l\udce5n.csv")
    assert deliveries.see(ledger, one).path == "l\\udce5n.csv"
    assert deliveries.see(ledger, one).id == one.id


def test_a_delivery_that_is_not_there_is_unknown(ledger: Ledger) -> None:
    with pytest.raises(UnknownDelivery, match="nobody"):
        deliveries.get(ledger, "nobody")


def test_deliveries_are_found_by_what_they_are_newest_first(ledger: Ledger, new: MakeDelivery) -> None:
    loans, items = new(), new(table="item")
    other = new(partner="lindeby", flow="adhl_upload", table="")
    deliveries.see_all(ledger, [loans, items, other])
    walk.end(ledger, items.id, State.BLOCKED)
    again = new(table="item", origin=items.id)
    deliveries.see(ledger, again)

    def ids(**asked: object) -> list[str]:
        return [one.id for one in deliveries.find(ledger, **asked)]  # type: ignore[arg-type]

    assert ids() == [again.id, other.id, items.id, loans.id]
    assert ids(limit=1) == [again.id]
    assert ids(partner="aarhus", table="item") == [again.id, items.id]
    assert ids(flow="adhl_upload") == [other.id]
    assert ids(states=[State.BLOCKED, State.HELD]) == [items.id]
    assert ids(since=other.seen_at) == [again.id, other.id]
    assert ids(origin=items.id) == [again.id]
    assert ids(finished_before=deliveries.get(ledger, items.id).touched_at + timedelta(seconds=1)) == [items.id]
    assert ids(content_hash="sha256:00") == []


def test_a_delivery_without_a_table_stands_in_line_as_its_flow(ledger: Ledger, new: MakeDelivery) -> None:
    assert deliveries.see(ledger, new(flow="adhl_upload", table="")).lane == "adhl_upload"


def test_a_chain_of_replays_has_one_root(ledger: Ledger, new: MakeDelivery) -> None:
    first = deliveries.see(ledger, new())
    second = deliveries.see(ledger, new(origin=first.id))
    third = deliveries.see(ledger, new(origin=second.id))
    assert [first.root, second.root, third.root] == [first.id] * 3


def published(ledger: Ledger, new: MakeDelivery, content: str, **values: object) -> str:
    id = deliveries.see(ledger, new(**values)).id
    token = walk.start(ledger, id)
    claims.note(ledger, token, content_hash=content)
    walk.go(ledger, token, State.ACKNOWLEDGED)
    return id


def test_the_same_bytes_under_another_name_are_a_duplicate(ledger: Ledger, new: MakeDelivery) -> None:
    first = published(ledger, new, "sha256:aa", mode="append")
    published(ledger, new, "sha256:bb", mode="append")
    again = deliveries.see(ledger, new(mode="append"))
    assert (found := deliveries.duplicate_of(ledger, again, "sha256:aa")) is not None and found.id == first
    assert deliveries.duplicate_of(ledger, again, "sha256:cc") is None


def test_a_full_export_repeats_only_the_latest_one(ledger: Ledger, new: MakeDelivery) -> None:
    published(ledger, new, "sha256:aa", mode="full")
    latest = published(ledger, new, "sha256:bb", mode="full")
    again = deliveries.see(ledger, new(mode="full"))
    assert deliveries.duplicate_of(ledger, again, "sha256:aa") is None
    assert (found := deliveries.duplicate_of(ledger, again, "sha256:bb")) is not None and found.id == latest


@pytest.mark.parametrize("other", [{"partner": "lindeby"}, {"table": "item"}, {"status": "test"}])
def test_the_same_bytes_of_another_partner_table_or_status_are_no_duplicate(
    ledger: Ledger, new: MakeDelivery, other: dict[str, str]
) -> None:
    published(ledger, new, "sha256:aa")
    assert deliveries.duplicate_of(ledger, deliveries.see(ledger, new(**other)), "sha256:aa") is None


def test_a_replay_and_what_was_retracted_are_no_duplicates(ledger: Ledger, new: MakeDelivery) -> None:
    first = published(ledger, new, "sha256:aa")
    assert deliveries.duplicate_of(ledger, deliveries.see(ledger, new(origin=first)), "sha256:aa") is None
    claims.advance(ledger, claims.take(ledger, first, "retract"), State.RETRACTED)
    assert deliveries.duplicate_of(ledger, deliveries.see(ledger, new()), "sha256:aa") is None
