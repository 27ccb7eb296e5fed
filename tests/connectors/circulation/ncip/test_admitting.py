"""Interlending and new patrons over NCIP: another library's copy comes, is lent, and leaves; somebody becomes a patron."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.circulation.embedded.backend import Embedded
from connectors.circulation.journal import read
from include.engine.crypto.keys import MemoryKeyStore
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.ncip.asking import Caller, _agency, caller, item, pair, proof, user
from tests.connectors.circulation.ncip.test_route import _Broken
from tests.house import stands_in


def _accept(asker: Caller, number: str = "R-1", card: str = "c1", copy: str = "x1", *, old: bool = False, pickup: str = "") -> list[str]:
    prefix = "Unique" if old else ""
    request = f"<{prefix}RequestId>{_agency('DK-775100', old)}<RequestIdentifierValue>{number}</RequestIdentifierValue></{prefix}RequestId>"
    action = f"<RequestedActionType>{pair('Hold For Pickup And Notify', old)}</RequestedActionType>"
    title = "<ItemOptionalFields><BibliographicDescription><Title>A borrowed book</Title></BibliographicDescription></ItemOptionalFields>"
    place = f"<PickupLocation>{pickup}</PickupLocation>" if pickup else ""
    who, what = user(card, old) if card else "", item(copy, old) if copy else ""
    if not old:
        request = request.replace(_agency("DK-775100", False), "<AgencyId>DK-775100</AgencyId>")
    return asker.ask(f"<AcceptItem>{request}{action}{who}{what}{title}{place}</AcceptItem>", old=old)


@pytest.mark.parametrize("old", [True, False])
def test_a_copy_comes_is_lent_to_whom_it_waits_for_comes_back_and_leaves(asker: Caller, living: Embedded, old: bool) -> None:
    prefix = "Unique" if old else ""
    accepted = [
        f"AcceptItemResponse/{prefix}RequestId/RequestIdentifierValue R-1",
        f"AcceptItemResponse/{prefix}ItemId/ItemIdentifierValue x1",
    ]
    assert _accept(asker, old=old) == accepted
    assert _accept(asker, old=old) == accepted  # sent again
    assert "Cannot Accept Item" in _accept(asker, "R-2", old=old)[0]
    assert asker.ask(f"<LookupItem>{item('x1')}</LookupItem>")[1:] == [
        "LookupItemResponse/ItemOptionalFields/BibliographicDescription/Title A borrowed book",
        "LookupItemResponse/ItemOptionalFields/BibliographicDescription/MediumType interlending",
        "LookupItemResponse/ItemOptionalFields/CirculationStatus Available For Pickup",
    ]
    assert "Resource Cannot Be Provided" in asker.ask(f"<CheckOutItem>{user('c2')}{item('x1')}</CheckOutItem>")[0]
    assert "DateDue" in asker.ask(f"<CheckOutItem>{user('c1')}{item('x1')}</CheckOutItem>")[-1]
    gone = f"<DeleteItem>{item('x1')}</DeleteItem>"
    assert asker.ask(gone)[0] == "DeleteItemResponse/Problem/ProblemType Unauthorized Combination Of Element Values For Agency"
    assert asker.ask(f"<CheckInItem>{item('x1')}</CheckInItem>")[1].endswith("RoutingInstructions OTHER_BRANCH")
    for _ in range(2):
        assert asker.ask(gone) == ["DeleteItemResponse/ItemId/ItemIdentifierValue x1"]
    assert (living.store.get("item", "x1") or {})["status"] == "withdrawn"
    assert _accept(asker, "R-3", old=old)[0].endswith("R-3")  # it has come a second time


def test_a_copy_for_nobody_yet_or_for_another_branch_or_without_a_barcode(asker: Caller, living: Embedded) -> None:
    assert _accept(asker, "R-1", card="", copy="")[1] == "AcceptItemResponse/ItemId/ItemIdentifierValue ILLR-1"
    assert (living.store.get("item", "ILLR-1") or {})["status"] == "available"
    _accept(asker, "R-2", copy="x2", pickup="north")
    assert (living.store.get("item", "x2") or {})["status"] == "in_transit"
    assert [hold["pickup"] for hold in living.store.holds_of("p1")] == ["north"]
    assert "Unknown User" in _accept(asker, "R-4", card="nobody", copy="x4")[0]
    assert asker.ask(f"<DeleteItem>{item('x2')}</DeleteItem>")[0] == "DeleteItemResponse/ItemId/ItemIdentifierValue x2"
    assert living.store.holds_of("p1") == []
    assert "Unknown Item" in asker.ask(f"<DeleteItem>{item('nothing')}</DeleteItem>")[0]
    assert "Needed Data Missing" in asker.ask("<DeleteItem/>")[0] and "Needed Data Missing" in asker.ask("<AcceptItem/>")[0]


def test_a_copy_that_leaves_lets_its_hold_wait_for_another(asker: Caller, living: Embedded) -> None:
    living.store.fill("hold", [{"hold": "h1", "patron": "p1", "title_id": "t1", "item": "b1", "placed": 1, "ready": 1}])
    assert asker.ask(f"<DeleteItem>{item('b1')}</DeleteItem>")[0].endswith("b1")
    assert [(hold["item"], hold["ready"]) for hold in living.store.holds_of("p1")] == [("", 0)]


def test_delete_item_is_not_of_1_x(asker: Caller) -> None:
    assert asker.ask(f"<DeleteItem>{item('b1', True)}</DeleteItem>", old=True)[0] == "Problem/ProblemType Unsupported Service"


@pytest.mark.parametrize("old", [True, False])
def test_somebody_becomes_a_patron(asker: Caller, living: Embedded, home: Path, keys: MemoryKeyStore, old: bool) -> None:
    name = "<StructuredPersonalUserName><GivenName>New</GivenName><Surname>Reader</Surname></StructuredPersonalUserName>"
    street = "<StructuredAddress><Street>Havnegade 2</Street><PostalCode>2000 Lindeby</PostalCode></StructuredAddress>"
    inside = (
        f"{proof('9000001', '4711', old)}<NameInformation><PersonalNameInformation>{name}</PersonalNameInformation></NameInformation>"
        f"<UserAddressInformation><UserAddressRoleType>{pair('Home', old)}</UserAddressRoleType><PhysicalAddress>{street}"
        f"<PhysicalAddressType>{pair('Postal Address', old)}</PhysicalAddressType></PhysicalAddress></UserAddressInformation>"
        f"<UserAddressInformation><UserAddressRoleType>{pair('Home', old)}</UserAddressRoleType><ElectronicAddress><ElectronicAddressType>"
        f"{pair('mailto', old)}</ElectronicAddressType><ElectronicAddressData>mailto:new@example.org</ElectronicAddressData></ElectronicAddress>"
        f"</UserAddressInformation><DateOfBirth>1990-02-03T00:00:00</DateOfBirth><UserLanguage>{pair('dan', old)}</UserLanguage>"
    )
    created = [f"CreateUserResponse/{'Unique' if old else ''}UserId/UserIdentifierValue 9000001"]
    for _ in range(2):
        assert asker.ask(f"<CreateUser>{inside}</CreateUser>", old=old) == created
    assert "Duplicate User" in asker.ask(f"<CreateUser>{inside.replace('9000001', 'c1')}</CreateUser>", old=old)[0]
    assert "Needed Data Missing" in asker.ask(f"<CreateUser>{proof('9000002', None, old)}</CreateUser>", old=old)[0]
    row = living.store.patron_of("9000001") or {}
    assert {name: row[name] for name in ("name", "category", "language", "birth_date", "address", "email")} == {
        "name": "New Reader", "category": "adult", "language": "da", "birth_date": "1990-02-03",
        "address": "Havnegade 2\n2000 Lindeby", "email": "new@example.org",
    }  # fmt: skip
    assert asker.ask(f"<LookupUser>{proof('9000001', '4711')}</LookupUser>") == ["LookupUserResponse/UserId/UserIdentifierValue 9000001"]
    assert not stands_in("4711", str([entry.data for entry in read(home / "journal", keys)]))


def test_a_back_end_that_can_take_nothing_in_is_told(clock: Clock) -> None:
    with caller(_Broken(ValueError()), clock) as asker:
        assert _accept(asker)[0] == "AcceptItemResponse/Problem/ProblemType Unsupported Service"
