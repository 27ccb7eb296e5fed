"""A loan that a kiosk and the library system both tell of is one loan in the lake, in whatever order and style they tell of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.engine.delivery import State
from tests.connectors.circulation.lake.conftest import House


def test_what_a_kiosk_was_answered_ok_for_is_in_the_lake(house: House) -> None:
    one, two = house.borrow(1), house.borrow(2, "C2")
    house.at(hours=1)
    house.renew(1)
    renewed = f"kiosk:{house.now:%Y%m%dT%H%M%SZ}"
    house.at(hours=1)
    house.bring(2)
    done = house.read()
    assert (done.state, done.counts.published, done.counts.quarantined) == (State.ACKNOWLEDGED, 4, 0), done.message
    assert house.told() == {(one, "loan", "once"), (two, "loan", "once"), (one, "renewal", renewed), (two, "return", "once")}
    rows = {(row["loan_id"], row["event"]): row for row in house.rows("loan")}
    loan, back = rows[one, "loan"], rows[two, "return"]
    assert (loan["item_id"], loan["barcode"], loan["kind"], loan["lending_branch"], loan["renewals"]) == ("1", "B00001", "home", "main", 0)
    assert (back["returning_branch"], back["returned_at"], rows[one, "renewal"]["renewals"]) == ("main", house.now, 1)
    known = {row["patron"] for row in house.rows("patron", "patron")}
    assert {row["patron"] for row in rows.values()} == known and len(known) == 2


def test_the_library_system_s_row_of_a_kiosk_s_loan_is_that_loan(house: House) -> None:
    one, at = house.borrow(1), house.now
    house.read()
    done = house.loans(house.lent(4711, 1, at + timedelta(minutes=2)))
    assert (done.counts.published, done.counts.added, done.counts.changed) == (1, 0, 1)
    [row] = house.rows("loan")
    assert (row["loan_id"], row["lending_branch"]) == (one, "MAIN")
    assert [(row["told_id"], row["loan_id"]) for row in house.rows("loan_alias", "told_id")] == [("4711", one)]
    again = house.loans(house.lent(4711, 1, at + timedelta(minutes=2)), house.lent(4712, 2, at))
    assert (again.counts.added, again.counts.unchanged) == (1, 1)
    assert house.told() == {(one, "loan", "once"), ("4712", "loan", "once")}
    house.at(hours=1)
    house.bring(1)
    house.read()
    assert house.told() == {(one, "loan", "once"), (one, "return", "once"), ("4712", "loan", "once")}


def test_a_kiosk_s_loan_that_the_library_system_told_of_first_is_not_told_again(house: House) -> None:
    house.borrow(1)
    house.loans(house.lent(4711, 1, house.now))
    done = house.read()
    assert (done.state, done.counts.filtered, done.counts.published) == (State.ACKNOWLEDGED, 1, 0)
    house.at(hours=2)
    house.renew(1)
    house.at(hours=2)
    house.bring(1)
    house.read()
    assert {(number, event) for number, event, _ in house.told()} == {("4711", "loan"), ("4711", "renewal"), ("4711", "return")}
    house.loans(house.lent(4711, 1, house.now - timedelta(hours=4), back=house.now, renewals=1))
    assert len(house.told()) == 3


def test_a_kiosk_takes_back_what_was_lent_at_the_desk(house: House) -> None:
    assert house.kiosk is not None
    lent = house.now - timedelta(days=3)
    house.loans(house.lent(4711, 1, lent))
    row = {"item": "B00001", "patron": "1", "loaned_at": int(lent.timestamp()), "due": int(house.now.timestamp()), "renewals": 0}
    house.kiosk.store.fill("loan", [row])
    house.bring(1)
    house.read()
    assert house.told() == {("4711", "loan", "once"), ("4711", "return", "once")}


def test_what_the_library_system_has_said_of_a_return_is_not_told_again(house: House) -> None:
    at = house.now
    house.borrow(1)
    house.at(hours=1)
    house.bring(1)
    house.loans(house.lent(4711, 1, at, back=house.now))
    done = house.read()
    assert (done.counts.in_, done.counts.filtered) == (2, 2)
    assert house.told() == {("4711", "loan", "once")}


@pytest.mark.parametrize(
    ("minutes", "patron", "same"), [(0, "1", True), (14, "1", True), (16, "1", False), (-14, "1", True), (0, "2", False), (0, "0", True)]
)
def test_clocks_may_differ_a_little_and_patrons_not(house: House, minutes: int, patron: str, same: bool) -> None:
    one, at = house.borrow(1), house.now
    house.read()
    house.loans(house.lent(4711, 1, at + timedelta(minutes=minutes), patron=patron))
    assert {number for number, _, _ in house.told()} == ({one} if same else {one, "4711"})


def test_two_loans_of_one_item_on_one_day_meet_their_own_rows(house: House) -> None:
    first, at = house.borrow(1), house.now
    house.at(minutes=5)
    house.bring(1)
    house.at(minutes=5)
    second, later = house.borrow(1), house.now
    house.read()
    house.loans(house.lent(4712, 1, later), house.lent(4711, 1, at, back=at + timedelta(minutes=5)))
    found = {row["told_id"]: row["loan_id"] for row in house.rows("loan_alias", "told_id")}
    assert found == {"4711": first, "4712": second}
    assert {number for number, event, _ in house.told() if event == "loan"} == {first, second}


def test_a_renewal_that_the_export_only_counts_stays_the_event_that_it_was(house: House) -> None:
    one, at = house.borrow(1), house.now
    house.at(hours=1)
    house.renew(1)
    house.read()
    house.loans(house.lent(4711, 1, at, renewals=1))
    assert {(number, event) for number, event, _ in house.told()} == {(one, "loan"), (one, "renewal")}


def test_what_is_undone_before_it_is_read_is_not_told(house: House) -> None:
    house.borrow(1)
    house.borrow(1, undo=True)
    house.borrow(2)
    house.at(minutes=1)
    house.bring(2)
    house.at(minutes=1)
    house.bring(2, undo=True)
    done = house.read()
    assert (done.counts.published, done.counts.filtered) == (1, 4)
    assert {event for _, event, _ in house.told()} == {"loan"}


def test_a_loan_that_is_undone_after_it_was_told_ends_at_once(house: House) -> None:
    one = house.borrow(1)
    house.read()
    house.at(minutes=1)
    house.borrow(1, undo=True)
    house.read()
    assert house.told() == {(one, "loan", "once"), (one, "return", "once")}
