"""Questions over NCIP, in both versions, as a library's partners ask them; lånertjek among them."""

from __future__ import annotations

import pytest

from connectors.circulation.embedded.backend import Embedded
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.ncip.asking import V1, V2, Caller, caller, doors, elements, item, lines, message, proof, user
from tests.connectors.circulation.ncip.conftest import CPR

ADDRESS = "UserOptionalFields/UserAddressInformation"
MUNICIPALITY = [f"{ADDRESS}/UserAddressRoleType Home", f"{ADDRESS}/PhysicalAddress/StructuredAddress/District 101",
                f"{ADDRESS}/PhysicalAddress/PhysicalAddressType Postal Address"]  # fmt: skip
NAME = "UserOptionalFields/NameInformation/PersonalNameInformation/UnstructuredPersonalUserName Reader One"
FAILED = {False: ["Problem/ProblemType User Authentication Failed", "Problem/ProblemElement AuthenticationInput"],
          True: ["Problem/ProcessingError/ProcessingErrorType User Authentication Failed",
                 "Problem/ProcessingError/ProcessingErrorElement/ElementName AuthenticationInput"]}  # fmt: skip


def _in(answer: str, *found: str) -> list[str]:
    return [f"{answer}Response/{line}" for line in found]


class TestLaanertjek:
    """DBC's borrower check: LookupUser in 1.01, with User Id and PIN as AuthenticationInput."""

    @pytest.mark.parametrize("card", ["c1", CPR, f"{CPR[:6]}-{CPR[6:]}"])
    def test_a_card_or_a_civil_number_with_its_pin_is_known_and_the_municipality_comes_with_it(self, asker: Caller, card: str) -> None:
        asked = f"<LookupUser>{proof(card, '1234', True)}{elements('Name Information', old=True)}</LookupUser>"
        answer = asker.post(message(asked, old=True, agency="DK-190101", password=""))
        number = card.replace("-", "")
        assert lines(answer.content) == _in("LookupUser", f"UniqueUserId/UserIdentifierValue {number}", NAME, *MUNICIPALITY)
        assert f'<!DOCTYPE NCIPMessage PUBLIC "-//NISO//NCIP DTD Version 1.01//EN" "{V1}">' in answer.text
        assert "<Value>DK-710100</Value></UniqueAgencyId></FromAgencyId><ToAgencyId>" in answer.text
        assert "<Value>DK-190101</Value></UniqueAgencyId></ToAgencyId>" in answer.text

    @pytest.mark.parametrize("old", [True, False])
    def test_without_a_pin_the_card_alone_is_checked(self, asker: Caller, old: bool) -> None:
        found = asker.ask(f"<LookupUser>{proof('c1', None, old)}</LookupUser>", old=old, agency="DK-190101", password="")
        prefix = "Unique" if old else ""
        assert found == _in("LookupUser", f"{prefix}UserId/UserIdentifierValue c1", *MUNICIPALITY)
        assert asker.ask(f"<LookupUser>{proof('c1', '', old)}</LookupUser>", old=old, agency="DK-190101", password="") == found

    @pytest.mark.parametrize("old", [True, False])
    def test_a_wrong_pin_tells_nothing_but_that(self, asker: Caller, old: bool) -> None:
        found = asker.ask(f"<LookupUser>{proof('c1', '9999', old)}</LookupUser>", old=old, agency="DK-190101", password="")
        assert found == _in("LookupUser", *FAILED[old])

    def test_a_pin_that_cannot_be_checked_is_not_let_pass(self, asker: Caller) -> None:
        assert asker.ask(f"<LookupUser>{proof('c2', '1234')}</LookupUser>") == _in("LookupUser", *FAILED[False])

    def test_guessing_ends_and_the_right_pin_then_fails_too_but_not_at_another_caller(self, asker: Caller) -> None:
        wrong, right = (f"<LookupUser>{proof('c1', pin)}</LookupUser>" for pin in ("9999", "1234"))
        for _ in range(5):
            asker.ask(wrong, agency="DK-190101", password="")
        assert asker.ask(right, agency="DK-190101", password="") == _in("LookupUser", *FAILED[False])
        assert asker.ask(right)[0] == "LookupUserResponse/UserId/UserIdentifierValue c1"

    @pytest.mark.parametrize("old", [True, False])
    def test_an_unknown_card_is_an_unknown_user(self, asker: Caller, old: bool) -> None:
        found = asker.ask(f"<LookupUser>{proof('nobody', '1234', old)}</LookupUser>", old=old, agency="DK-190101", password="")
        assert ("ProcessingErrorType Unknown User" if old else "ProblemType Unknown User") in found[0]

    def test_the_municipality_is_told_to_nobody_who_may_not_know_it(self, living: Embedded, clock: Clock) -> None:
        with caller(living, clock, doors(dbc={"agencies": ["DK-190101"], "addresses": ["127.0.0.1/32"]})) as asker:
            asked = f"<LookupUser>{user('c1')}{elements('Name Information', 'User Address Information')}</LookupUser>"
            assert asker.ask(asked, agency="DK-190101", password="") == ["LookupUserResponse/UserId/UserIdentifierValue c1"]

    def test_a_caller_that_must_send_a_pin_is_told_when_it_does_not(self, living: Embedded, clock: Clock) -> None:
        with caller(living, clock, doors(dbc={"agencies": ["DK-190101"], "addresses": ["127.0.0.1/32"], "pin": "always"})) as asker:
            found = asker.ask(f"<LookupUser>{user('c1')}</LookupUser>", agency="DK-190101", password="")
            assert found == _in("LookupUser", "Problem/ProblemType Needed Data Missing", "Problem/ProblemElement AuthenticationInput")


def test_everything_of_a_user_is_told_to_whoever_may_know_it(asker: Caller, living: Embedded) -> None:
    living.store.fill("fee", [{"fee": "f1", "patron": "p1", "outstanding": 1050, "title": "Late"}])
    living.store.fill("hold", [{"hold": "h1", "patron": "p1", "title_id": "t9", "placed": 1_790_000_000, "pickup": "main"}])
    row = living.store.get("patron", "p1")
    living.store.apply([["patron", (row or {}) | {"block": "CARD_LOST", "language": "da", "valid_until": "2027-01-31"}]])
    living.store.fill("loan", [{"item": "b1", "patron": "p1", "loaned_at": 1_795_000_000, "due": 1_797_000_000}])
    kinds = ("Name Information", "User Address Information", "Date Of Birth", "User Language", "User Privilege", "Block Or Trap", "User Id")
    desired = "<LoanedItemsDesired/><RequestedItemsDesired/><UserFiscalAccountDesired/>"
    optional, hold = "UserOptionalFields", "RequestedItem"
    electronic = f"{ADDRESS}/ElectronicAddress"
    postal = f"{ADDRESS}/PhysicalAddress/UnstructuredAddress"
    assert asker.ask(f"<LookupUser>{user('c1')}{elements(*kinds)}{desired}</LookupUser>") == _in(
        "LookupUser", "UserId/UserIdentifierValue c1",
        "UserFiscalAccount/AccountBalance/CurrencyCode DKK", "UserFiscalAccount/AccountBalance/MonetaryValue 1050",
        "LoanedItem/ItemId/ItemIdentifierValue b1", "LoanedItem/DateDue 2026-12-11T15:40:00+01:00",
        "LoanedItem/Title One book",
        f"{hold}/RequestId/RequestIdentifierValue h1", f"{hold}/RequestType Hold", f"{hold}/RequestStatusType In Process",
        f"{hold}/DatePlaced 2026-09-21T16:13:20+02:00", f"{hold}/PickupLocation main",
        f"{hold}/HoldQueuePosition 1", f"{hold}/Title t9", NAME, *MUNICIPALITY,
        f"{ADDRESS}/UserAddressRoleType Home", f"{postal}/UnstructuredAddressType Newline-Delimited Text",
        f"{postal}/UnstructuredAddressData Havnegade 1\n2000 Lindeby", f"{ADDRESS}/PhysicalAddress/PhysicalAddressType Postal Address",
        f"{ADDRESS}/UserAddressRoleType Multi-Purpose", f"{electronic}/ElectronicAddressType mailto",
        f"{electronic}/ElectronicAddressData one@example.org",
        f"{optional}/DateOfBirth 1980-05-01T00:00:00", f"{optional}/UserLanguage dan",
        f"{optional}/UserPrivilege/AgencyUserPrivilegeType adult", f"{optional}/UserPrivilege/ValidToDate 2027-01-31T23:59:00+01:00",
        f"{optional}/UserPrivilege/UserPrivilegeStatus/UserPrivilegeStatusType Restricted",
        f"{optional}/BlockOrTrap/BlockOrTrapType CARD_LOST", f"{optional}/UserId/UserIdentifierValue c1",
    )  # fmt: skip
    found = asker.ask(f"<LookupUser>{user('c1', True)}{elements(*kinds[:2], 'Visible User Id', old=True)}{desired}</LookupUser>", old=True)
    assert [line for line in found if "UserTransaction" in line and "Identifier" in line] == _in(
        "LookupUser", "UserTransaction/RequestedItem/UniqueRequestId/RequestIdentifierValue h1",
        "UserTransaction/LoanedItem/UniqueItemId/ItemIdentifierValue b1",
    )  # fmt: skip
    assert "LookupUserResponse/UserOptionalFields/VisibleUserId/VisibleUserIdentifier c1" in found


def test_authenticate_user_is_answered_in_1_x_alone(asker: Caller) -> None:
    asked = f"<AuthenticateUser>{proof('c1', '1234', True)}</AuthenticateUser>"
    assert asker.ask(asked, old=True) == ["AuthenticateUserResponse/UniqueUserId/UserIdentifierValue c1"]
    assert asker.ask(asked.replace("1234", "4321"), old=True) == _in("AuthenticateUser", *FAILED[True])
    missing = asker.ask(f"<AuthenticateUser>{proof('c1', None, True)}</AuthenticateUser>", old=True)
    assert "Needed Data Missing" in missing[0]
    assert asker.ask(asked) == ["Problem/ProblemType Unsupported Service", "Problem/ProblemElement AuthenticateUser"]


@pytest.mark.parametrize("old", [True, False])
def test_an_item_is_described_as_far_as_it_is_asked_for(asker: Caller, old: bool) -> None:
    prefix, fields = "Unique" if old else "", "ItemOptionalFields"
    plain = asker.ask(f"<LookupItem>{item('b1', old)}</LookupItem>", old=old)
    described = [f"{fields}/BibliographicDescription/Title One book", f"{fields}/BibliographicDescription/MediumType book"]
    assert plain == _in(
        "LookupItem", f"{prefix}ItemId/ItemIdentifierValue b1", *described, f"{fields}/CirculationStatus Available On Shelf"
    )
    asked = elements("Location", "Hold Queue Length", of="Item", old=old)
    place = f"{fields}/Location"
    assert asker.ask(f"<LookupItem>{item('b2', old)}{asked}</LookupItem>", old=old)[1:] == _in(
        "LookupItem", f"{fields}/HoldQueueLength 0",
        f"{place}/LocationType Permanent Location", f"{place}/LocationName/LocationNameInstance/LocationNameLevel 1",
        f"{place}/LocationName/LocationNameInstance/LocationNameValue north",
        f"{place}/LocationType Current Location", f"{place}/LocationName/LocationNameInstance/LocationNameLevel 1",
        f"{place}/LocationName/LocationNameInstance/LocationNameValue main",
    )  # fmt: skip
    assert "Unknown Item" in asker.ask(f"<LookupItem>{item('nothing', old)}</LookupItem>", old=old)[0]
    assert "Needed Data Missing" in asker.ask("<LookupItem/>", old=old)[0]


def test_an_item_may_be_named_by_what_is_printed_on_it(asker: Caller) -> None:
    kind = "<VisibleItemIdentifierType><Scheme>x</Scheme><Value>Barcode</Value></VisibleItemIdentifierType>"
    asked = f"<LookupItem><VisibleItemId>{kind}<VisibleItemIdentifier>b1</VisibleItemIdentifier></VisibleItemId></LookupItem>"
    assert asker.ask(asked, old=True)[0] == "LookupItemResponse/UniqueItemId/ItemIdentifierValue b1"


def test_the_versions_that_are_answered_are_told(asker: Caller) -> None:
    agencies = "".join(
        f"<{which}AgencyId><UniqueAgencyId><Scheme/><Value>{name}</Value></UniqueAgencyId></{which}AgencyId>"
        for which, name in (("From", "DK-190101"), ("To", "DK-710100"))
    )
    asked = f"<NCIPVersionMessage version='{V1}'><LookupVersion>{agencies}</LookupVersion></NCIPVersionMessage>"
    found = lines(asker.post(asked.encode()).content)
    assert found == [f"LookupVersionResponse/VersionSupported {version}" for version in (V1, V2)]


@pytest.mark.parametrize("old", [True, False])
def test_a_request_is_looked_up_beside_its_user(asker: Caller, living: Embedded, old: bool) -> None:
    living.store.fill("hold", [{"hold": "h1", "patron": "p1", "title_id": "t1", "item": "b1", "placed": 1, "ready": 1, "pickup": "main"}])
    prefix = "Unique" if old else ""
    for named in (
        f"<{prefix}RequestId><RequestIdentifierValue>h1</RequestIdentifierValue></{prefix}RequestId>",
        item("b1", old),
        item("b2", old),
    ):
        found = asker.ask(f"<LookupRequest>{user('c1', old)}{named}</LookupRequest>", old=old)
        assert found[:5] == _in(
            "LookupRequest", f"{prefix}RequestId/RequestIdentifierValue h1", f"{prefix}ItemId/ItemIdentifierValue b1",
            f"{prefix}UserId/UserIdentifierValue c1", "RequestType Hold", "RequestStatusType Available For Pickup",
        )  # fmt: skip
    assert "Unknown Request" in asker.ask(f"<LookupRequest>{user('c2', old)}{item('b1', old)}</LookupRequest>", old=old)[0]
