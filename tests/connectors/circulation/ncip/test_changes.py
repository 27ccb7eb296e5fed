"""Loans, returns, renewals, requests, payments and blocks over NCIP: done once, in the journal before they are answered."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.circulation.embedded.backend import Embedded
from connectors.circulation.journal import read
from include.engine.crypto.keys import MemoryKeyStore
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.ncip.asking import Caller, elements, item, pair, proof, record, user
from tests.house import stands_in

KINDS = [True, False]
DUE = "DateDue 2026-12-18T23:59:00+01:00"


def _lend(asker: Caller, barcode: str = "b1", card: str = "c1", *, old: bool = False, more: str = "") -> list[str]:
    return asker.ask(f"<CheckOutItem>{user(card, old)}{item(barcode, old)}{more}</CheckOutItem>", old=old)


def _return(asker: Caller, barcode: str = "b1", *, old: bool = False, more: str = "") -> list[str]:
    return asker.ask(f"<CheckInItem>{more}{item(barcode, old)}</CheckInItem>", old=old)


def _renew(asker: Caller, barcode: str = "b1", card: str = "c1", *, old: bool = False) -> list[str]:
    return asker.ask(f"<RenewItem>{user(card, old)}{item(barcode, old)}</RenewItem>", old=old)


def _request(asker: Caller, card: str = "c1", named: str = "", *, old: bool = False, more: str = "") -> list[str]:
    kinds = f"<RequestType>{pair('Hold', old)}</RequestType><RequestScopeType>{pair('Item', old)}</RequestScopeType>"
    return asker.ask(f"<RequestItem>{user(card, old)}{named or item('b1', old)}{kinds}{more}</RequestItem>", old=old)


def _cancel(asker: Caller, named: str, card: str = "c1", *, old: bool = False) -> list[str]:
    return asker.ask(
        f"<CancelRequestItem>{user(card, old)}{named}<RequestType>{pair('Hold', old)}</RequestType></CancelRequestItem>", old=old
    )


@pytest.mark.parametrize("old", KINDS)
def test_an_item_is_lent_renewed_and_returned(asker: Caller, clock: Clock, old: bool) -> None:
    prefix = "Unique" if old else ""
    ids = [f"{prefix}ItemId/ItemIdentifierValue b1", f"{prefix}UserId/UserIdentifierValue c1"]
    assert _lend(asker, old=old) == [f"CheckOutItemResponse/{line}" for line in (*ids, DUE)]
    clock.on(days=1)
    told = ids[:1] if old else ids
    assert _renew(asker, old=old) == [f"RenewItemResponse/{line}" for line in (*told, "DateDue 2026-12-19T23:59:00+01:00")]
    assert _return(asker, old=old) == [f"CheckInItemResponse/{ids[0]}"]
    assert _return(asker, "b2", old=old)[1:] == [
        "CheckInItemResponse/RoutingInformation/RoutingInstructions OTHER_BRANCH",
        "CheckInItemResponse/RoutingInformation/Destination/Location/LocationType Permanent Location",
        "CheckInItemResponse/RoutingInformation/Destination/Location/LocationName/LocationNameInstance/LocationNameLevel 1",
        "CheckInItemResponse/RoutingInformation/Destination/Location/LocationName/LocationNameInstance/LocationNameValue north",
    ]


@pytest.mark.parametrize("old", KINDS)
def test_a_request_is_placed_under_our_number_and_cancelled_by_it(asker: Caller, old: bool) -> None:
    prefix = "Unique" if old else ""
    mine = f"<{prefix}RequestId><RequestIdentifierValue>theirs-1</RequestIdentifierValue></{prefix}RequestId>"
    placed = _request(asker, old=old, more=mine)
    assert placed[1:] == [
        f"RequestItemResponse/{prefix}UserId/UserIdentifierValue c1", "RequestItemResponse/RequestType Hold",
        "RequestItemResponse/RequestScopeType Item",
    ]  # fmt: skip
    number = placed[0].removeprefix(f"RequestItemResponse/{prefix}RequestId/RequestIdentifierValue ")
    assert number.startswith("b") and _request(asker, old=old, more=mine) == placed  # sent again: the same request
    named = f"<{prefix}RequestId><RequestIdentifierValue>{number}</RequestIdentifierValue></{prefix}RequestId>"
    cancelled = [f"CancelRequestItemResponse/{prefix}RequestId/RequestIdentifierValue {number}",
                 f"CancelRequestItemResponse/{prefix}UserId/UserIdentifierValue c1"]  # fmt: skip
    assert "Unknown Request" in _cancel(asker, named, "c2", old=old)[0]
    assert _cancel(asker, named, old=old) == cancelled
    assert _cancel(asker, named, old=old) == cancelled
    assert "Unknown Request" in _cancel(asker, named.replace(number, "nothing"), old=old)[0]


def test_a_title_is_requested_by_its_record_and_cancelled_by_a_copy(asker: Caller) -> None:
    placed = _request(asker, named=record("t1"))
    assert "RequestId/RequestIdentifierValue b" in placed[0] and placed[-1].endswith("RequestScopeType Bibliographic Item")
    assert "Duplicate Request" in _request(asker, named=item("b2"))[0]
    assert _cancel(asker, item("b2"))[0].endswith(placed[0].split()[-1])
    assert "RequestId/RequestIdentifierValue" in _request(asker, named=record("t1"))[0]  # what was cancelled since is requested anew


@pytest.mark.parametrize(
    ("inside", "kind", "element"),
    [
        (f"<CheckOutItem>{user('nobody')}{item('b1')}</CheckOutItem>", "Unknown User", "UserId"),
        (f"<CheckOutItem>{user('c1')}{item('nothing')}</CheckOutItem>", "Unknown Item", "ItemId"),
        (f"<CheckOutItem>{user('c3')}{item('b1')}</CheckOutItem>", "User Blocked", "UserId"),
        (f"<CheckOutItem>{user('c2')}{item('d1')}</CheckOutItem>", "User Ineligible To Check Out This Item", "UserId"),
        (f"<CheckOutItem>{user('c1')}{item('r1')}</CheckOutItem>", "Item Does Not Circulate", "ItemId"),
        (f"<CheckOutItem>{proof('c1', '9999')}{item('b1')}</CheckOutItem>", "User Authentication Failed", "AuthenticationInput"),
        (f"<CheckOutItem>{proof('c2', '1234')}{item('b1')}</CheckOutItem>", "User Authentication Failed", "AuthenticationInput"),
        (f"<CheckOutItem>{user('c1')}</CheckOutItem>", "Needed Data Missing", "ItemId"),
        (f"<CheckOutItem>{item('b1')}</CheckOutItem>", "Needed Data Missing", "AuthenticationInput"),
        (f"<CheckOutItem>{user('c1')}{item('b1')}<DesiredDateDue>soon</DesiredDateDue></CheckOutItem>", "Invalid Date", "DesiredDateDue"),
        (f"<CheckInItem>{item('nothing')}</CheckInItem>", "Unknown Item", "ItemId"),
        (f"<RenewItem>{user('c1')}{item('b1')}</RenewItem>", "Item Not Checked Out", "ItemId"),
        (f"<RequestItem>{user('c1')}</RequestItem>", "Needed Data Missing", "BibliographicId"),
        (f"<RequestItem>{user('c1')}{record('t0')}</RequestItem>", "Unknown Item", "BibliographicId"),
        (f"<RequestItem>{user('c3')}{item('b1')}</RequestItem>", "User Blocked", "UserId"),
        (f"<CancelRequestItem>{user('c1')}{item('b1')}</CancelRequestItem>", "Unknown Request", "RequestId"),
        (f"<CancelRequestItem>{user('c1')}</CancelRequestItem>", "Needed Data Missing", "RequestId"),
        (f"<UpdateUser>{user('c1')}</UpdateUser>", "Needed Data Missing", "AddUserFields"),
        (f"<UpdateUser>{user('c1')}<AddUserFields><UserLanguage>dan</UserLanguage></AddUserFields></UpdateUser>", "Unsupported Service", "AddUserFields"),
        ("<RecallItem/>", "Unsupported Service", "RecallItem"),
        ("<MakeCoffee/>", "Unknown Service", "MakeCoffee"),
    ],
)  # fmt: skip
def test_what_is_refused_has_the_standards_problem(asker: Caller, inside: str, kind: str, element: str) -> None:
    found = asker.ask(inside)
    assert found[0].endswith(f"Problem/ProblemType {kind}")
    assert found[-1].endswith(f"Problem/ProblemElement {element}")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "0001-01-01", "9999-12-31T23:59:59-14:00", "1969-12-31T12:00:00", "soon"])
def test_moments_that_nobody_means_are_refused(asker: Caller, moment: str) -> None:
    mandated = f"<MandatedAction><DateEventOccurred>{moment}</DateEventOccurred></MandatedAction>"
    invalid = "Problem/ProblemType Invalid Date"
    assert invalid in _lend(asker, more=mandated)[0] and invalid in _return(asker, more=mandated)[0]
    assert invalid in _lend(asker, more=f"<DesiredDateDue>{moment}</DesiredDateDue>")[0]
    assert invalid in _request(asker, more=f"<NeedBeforeDate>{moment}</NeedBeforeDate>")[0]


def test_limits_of_a_patron_and_of_an_item_have_their_problems(asker: Caller, living: Embedded, clock: Clock) -> None:
    assert _lend(asker, "b1")[-1].endswith(DUE)
    assert "Resource Cannot Be Provided" in _lend(asker, "b1", "c2")[0]
    assert _request(asker, "c2")[0].startswith("RequestItemResponse/RequestId")
    assert "Renewal Not Allowed - Item Has Outstanding Requests" in _renew(asker)[0]
    assert _lend(asker, "d1")[-1].startswith("CheckOutItemResponse/DateDue")
    assert "Maximum Check Outs Exceeded" in _lend(asker, "d2")[0]
    assert [_renew(asker, "d1")[0], clock.on(days=1), _renew(asker, "d1")[0]][0] == "RenewItemResponse/ItemId/ItemIdentifierValue d1"
    clock.on(days=1)
    assert "Maximum Renewals Exceeded" in _renew(asker, "d1")[0]
    assert "User Ineligible To Renew This Item" in _renew(asker, "d1", "c2")[0]


class TestSentAgain:
    """An answer that was lost: the message comes again, and what it asks for is done once."""

    def _entries(self, home: Path, keys: MemoryKeyStore) -> list[str]:
        return [entry.data["kind"] for entry in read(home / "journal", keys)]

    def test_each_change_is_done_once(self, asker: Caller, living: Embedded, home: Path, keys: MemoryKeyStore) -> None:
        living.store.fill("fee", [{"fee": "f1", "patron": "p1", "outstanding": 1050}])
        for _ in range(3):
            lent, renewed, paid = _lend(asker), _renew(asker), _pay(asker)
        assert (lent[-1], renewed[-1]) == (f"CheckOutItemResponse/{DUE}", f"RenewItemResponse/{DUE}")
        assert paid[-1].endswith("FiscalTransactionIdentifierValue T-77")
        for _ in range(2):
            assert _return(asker)[0] == "CheckInItemResponse/ItemId/ItemIdentifierValue b1"
        assert self._entries(home, keys) == ["checkout", "renew", "fee", "checkin"]
        assert [fee["outstanding"] for fee in living.store.fees_of("p1")] == [550]

    def test_what_happened_since_makes_the_same_message_a_new_one(self, asker: Caller, home: Path, keys: MemoryKeyStore) -> None:
        for _ in range(2):
            assert _lend(asker)[-1].endswith(DUE)
            assert _return(asker) == ["CheckInItemResponse/ItemId/ItemIdentifierValue b1"]
        assert _lend(asker, card="c2")[-1].endswith(DUE)
        assert "Resource Cannot Be Provided" in _lend(asker)[0]  # it was returned since, and lent to another
        assert self._entries(home, keys) == ["checkout", "checkin"] * 2 + ["checkout"]

    def test_a_change_is_in_the_journal_when_its_answer_is_there_and_has_no_pin(
        self, asker: Caller, home: Path, keys: MemoryKeyStore
    ) -> None:
        asker.ask(f"<CheckOutItem>{proof('c1', '1234')}{item('b1')}</CheckOutItem>")
        entries = [entry.data for entry in read(home / "journal", keys)]
        assert [entry["asked"]["item"] for entry in entries] == ["b1"] and entries[0]["asked"]["terminal"] == "ncip:own"
        assert not stands_in("1234", str(entries))


def test_what_was_done_already_is_taken_in_with_its_own_date_from_whoever_may_say_so(asker: Caller, living: Embedded) -> None:
    mandated = "<MandatedAction><DateEventOccurred>2026-11-18T09:00:00+01:00</DateEventOccurred></MandatedAction>"
    assert _lend(asker, "r1", more=mandated)[-1] == "CheckOutItemResponse/DateDue 2026-11-18T23:59:00+01:00"
    loan = living.store.get("loan", "r1")
    assert loan is not None and loan["loaned_at"] == int(datetime(2026, 11, 18, 8, tzinfo=UTC).timestamp())
    assert [row["reason"] for row in living.store.rows("conflict")] == ["ITEM_NOT_FOR_LOAN"]


def _pay(
    asker: Caller, card: str = "c1", number: str = "T-77", sum_: str = "500", *, old: bool = False, action: str = "Payment"
) -> list[str]:
    reference = f"<FiscalTransactionReferenceId><FiscalTransactionIdentifierValue>{number}</FiscalTransactionIdentifierValue></FiscalTransactionReferenceId>"
    fiscal = (
        f"<FiscalActionType>{pair(action, old)}</FiscalActionType>{reference if number else ''}<FiscalTransactionType>{pair('Fine', old)}"
        f"</FiscalTransactionType><Amount><CurrencyCode>{pair('DKK', old)}</CurrencyCode><MonetaryValue>{sum_}</MonetaryValue></Amount>"
    )
    inside = f"{user(card, old)}<FiscalTransactionInformation>{fiscal}</FiscalTransactionInformation>"
    return asker.ask(f"<CreateUserFiscalTransaction>{inside}</CreateUserFiscalTransaction>", old=old)


@pytest.mark.parametrize("old", KINDS)
def test_a_payment_is_taken_off_what_is_owed(asker: Caller, living: Embedded, old: bool) -> None:
    living.store.fill("fee", [{"fee": "f1", "patron": "p1", "outstanding": 1050}])
    prefix = "Unique" if old else ""
    answer = "CreateUserFiscalTransactionResponse"
    assert _pay(asker, old=old) == [f"{answer}/{prefix}UserId/UserIdentifierValue c1",
                                    f"{answer}/FiscalTransactionReferenceId/FiscalTransactionIdentifierValue T-77"]  # fmt: skip
    assert [fee["outstanding"] for fee in living.store.fees_of("p1")] == [550]


@pytest.mark.parametrize(
    ("change", "kind"),
    [({"number": ""}, "Needed Data Missing"), ({"sum_": "5,00"}, "Invalid Amount"), ({"sum_": "0"}, "Invalid Amount"),
     ({"sum_": "1_000"}, "Invalid Amount"), ({"sum_": "\u0665\u0660\u0660"}, "Invalid Amount"), ({"sum_": "-500"}, "Invalid Amount"),
     ({"action": "Assess"}, "Unsupported Service"), ({"card": "nobody"}, "Unknown User")],
)  # fmt: skip
def test_a_payment_that_cannot_be_written_down_is_refused(asker: Caller, change: dict[str, str], kind: str) -> None:
    assert _pay(asker, **change)[0] == f"CreateUserFiscalTransactionResponse/Problem/ProblemType {kind}"


@pytest.mark.parametrize("old", KINDS)
def test_a_card_is_blocked_and_the_block_is_lifted(asker: Caller, old: bool) -> None:
    prefix = "Unique" if old else ""
    block = f"<BlockOrTrap><BlockOrTrapType>{pair('Block Checkout', old)}</BlockOrTrapType></BlockOrTrap>"
    ok = [f"UpdateUserResponse/{prefix}UserId/UserIdentifierValue c1"]
    for _ in range(2):
        assert asker.ask(f"<UpdateUser>{user('c1', old)}<AddUserFields>{block}</AddUserFields></UpdateUser>", old=old) == ok
        assert "User Blocked" in _lend(asker, old=old)[0]
        assert asker.ask(f"<UpdateUser>{user('c1', old)}<DeleteUserFields>{block}</DeleteUserFields></UpdateUser>", old=old) == ok
    assert "DateDue" in _lend(asker, old=old)[-1]


def test_items_and_users_are_told_beside_a_change_where_it_is_asked_for(asker: Caller) -> None:
    asked = elements("Circulation Status", of="Item") + elements("Name Information")
    found = asker.ask(f"<CheckOutItem>{user('c1')}{item('b1')}{asked}</CheckOutItem>")
    assert "CheckOutItemResponse/ItemOptionalFields/CirculationStatus On Loan" in found
    assert found[-1].endswith("PhysicalAddressType Postal Address") and any(line.endswith("Reader One") for line in found)
    found = _return(asker, more=elements("Name Information"))
    assert not any("Reader One" in line for line in found)
