"""Looks into inboxes: what is new, what changed, what is gone; by path, size and mtime together."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.engine.errors import WrongState
from include.engine.ledger import Ledger, deliveries, inbox
from include.engine.ledger.inbox import InboxFile, Seen
from tests.engine.ledger.conftest import START, MakeDelivery

PLACE = ("aarhus", "ils_import", "sftp://aarhus_inbox/exports")
A, B = Seen("a.csv", 10, 1), Seen("b.csv", 20, 2)


def look(ledger: Ledger, minute: int, *files: Seen) -> list[InboxFile]:
    return inbox.look(ledger, *PLACE, files, START + timedelta(minutes=minute))


def since(found: list[InboxFile]) -> dict[str, int]:
    """Path to the minute in which it was first seen as it is."""
    return {one.path: int((one.first_seen_at - START).total_seconds() // 60) for one in found}


def test_files_stay_new_from_look_to_look_until_they_have_a_delivery(ledger: Ledger, new: MakeDelivery) -> None:
    assert since(look(ledger, 0, A)) == {"a.csv": 0}
    found = look(ledger, 1, A, B)
    assert since(found) == {"a.csv": 0, "b.csv": 1}
    assert {one.last_seen_at for one in found} == {START + timedelta(minutes=1)}
    id = deliveries.see(ledger, new()).id
    inbox.bind_delivery(ledger, *PLACE, "a.csv", id)
    assert since(look(ledger, 2, A, B)) == {"b.csv": 1}


@pytest.mark.parametrize("changed", [Seen("a.csv", 11, 1), Seen("a.csv", 10, 0)])
def test_a_file_with_another_size_or_time_starts_anew(ledger: Ledger, new: MakeDelivery, changed: Seen) -> None:
    look(ledger, 0, A)
    inbox.bind_delivery(ledger, *PLACE, "a.csv", deliveries.see(ledger, new()).id)
    assert since(look(ledger, 1, changed)) == {"a.csv": 1}
    assert since(look(ledger, 2, changed)) == {"a.csv": 1}


def test_a_file_that_was_away_is_new_when_it_comes_back(ledger: Ledger, new: MakeDelivery) -> None:
    look(ledger, 0, A)
    inbox.bind_delivery(ledger, *PLACE, "a.csv", deliveries.see(ledger, new()).id)
    assert look(ledger, 1) == []
    assert since(look(ledger, 2, A)) == {"a.csv": 2}


def test_files_of_one_name_in_other_inboxes_are_other_files(ledger: Ledger) -> None:
    look(ledger, 0, A)
    assert len(inbox.look(ledger, "lindeby", *PLACE[1:], [A], START)) == 1
    assert inbox.look(ledger, *PLACE[:2], "file:inbox", [], START) == []
    assert since(look(ledger, 1, A)) == {"a.csv": 0}


def test_a_delivery_of_a_file_that_is_gone_is_refused_with_all_that_belongs_to_it(ledger: Ledger, new: MakeDelivery) -> None:
    with pytest.raises(WrongState, match="no longer in the inbox"), ledger.begin() as tx:
        id = deliveries.see(ledger, new(), tx=tx).id
        inbox.bind_delivery(ledger, *PLACE, "a.csv", id, tx=tx)
    assert deliveries.find(ledger) == []


def test_an_inbox_that_cannot_be_read_keeps_its_files_and_counts_its_failures(ledger: Ledger) -> None:
    look(ledger, 0, A)
    inbox.look_failed(ledger, *PLACE, "did not answer", START + timedelta(minutes=1))
    inbox.look_failed(ledger, *PLACE, "did not answer", START + timedelta(minutes=2), code="UNREACHABLE")
    [row] = inbox.looks(ledger)
    assert (row.looked_at, row.tried_at, row.files, row.failures, row.note, row.code) == (
        START, START + timedelta(minutes=2), 1, 2, "did not answer", "UNREACHABLE",
    )  # fmt: skip
    assert since(look(ledger, 3, A)) == {"a.csv": 0}
    [row] = inbox.looks(ledger, partner="aarhus")
    assert (row.failures, row.note, row.code) == (0, None, None)


def test_an_inbox_that_never_answered_is_known_too(ledger: Ledger) -> None:
    inbox.look_failed(ledger, *PLACE, "did not answer", START)
    [row] = inbox.looks(ledger)
    assert (row.looked_at, row.failures) == (None, 1)
    assert inbox.looks(ledger, partner="lindeby") == []


def test_a_name_that_is_no_valid_text_is_followed_like_any_other(ledger: Ledger) -> None:
    odd = Seen("l\udce5n.csv", 1, 1)
    assert since(look(ledger, 0, odd)) == {"l\udce5n.csv": 0}
    assert since(look(ledger, 1, odd)) == {"l\udce5n.csv": 0}


def test_thousands_of_files_come_and_go(ledger: Ledger) -> None:
    many = [Seen(f"{number}.csv", number, number) for number in range(3000)]
    assert len(look(ledger, 0, *many)) == 3000
    assert since(look(ledger, 1, *many[2990:])) == {f"{number}.csv": 0 for number in range(2990, 3000)}


listings = st.lists(st.dictionaries(st.sampled_from("abcde"), st.tuples(st.integers(0, 2), st.integers(0, 2))), max_size=6)


@given(looks=listings)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_whatever_comes_and_goes_each_file_is_known_since_its_present_form(ledger: Ledger, looks: list[dict[str, tuple[int, int]]]) -> None:
    look(ledger, -1)
    model: dict[str, tuple[tuple[int, int], int]] = {}
    for minute, files in enumerate(looks):
        model = {name: model[name] if name in model and model[name][0] == form else (form, minute) for name, form in files.items()}
        found = look(ledger, minute, *(Seen(name, *form) for name, form in files.items()))
        assert since(found) == {name: first for name, (_, first) in model.items()}
