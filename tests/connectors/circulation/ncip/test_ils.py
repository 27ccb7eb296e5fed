"""NCIP before a Koha or a FOLIO: answered by it while it is there, and by store and forward while it is not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.circulation.metrics import Metrics
from connectors.circulation.serving import doors_of
from connectors.circulation.sip2.session import House
from include.engine.crypto.keys import MemoryKeyStore
from include.sandbox.servers.asgi import serving
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.forwarding.conftest import Place, place_of
from tests.connectors.circulation.ncip.asking import Caller, doors, item, proof, user
from tests.connectors.circulation.ncip.test_changes import _cancel, _lend, _renew, _request, _return
from tests.connectors.circulation.running import terminals


@pytest.fixture(params=["koha", "folio"])
def place(request: pytest.FixtureRequest, home: object, keys: MemoryKeyStore, clock: Clock) -> Iterator[Place]:
    with place_of(request.param, home, keys, clock) as found:  # type: ignore[arg-type]
        yield found


@contextmanager
def asking(place: Place) -> Iterator[Caller]:
    """One who asks NCIP of a sidecar before that library system."""
    forwarding = place.opened()
    house = House(forwarding, terminals(), {}, Metrics(), now=place.clock, doors=doors())

    async def end(_: Request) -> Response:  # on the loop that everything lives on
        await forwarding.close()
        return Response()

    async def turn(_: Request) -> Response:
        return Response(str(await forwarding.turn()))

    routes = [*doors_of(house), Route("/end", end, methods=["POST"]), Route("/turn", turn, methods=["POST"])]
    with serving(Starlette(routes=routes)) as port:
        found = Caller(port, house)
        try:
            yield found
        finally:
            found.http.post("/end")
            found.http.close()
            house.pins.close()


def test_a_patron_borrows_renews_returns_requests_and_cancels(place: Place) -> None:
    with asking(place) as asker:
        assert asker.ask(f"<LookupUser>{proof('c1', '1234')}</LookupUser>")[0].endswith("UserIdentifierValue c1")
        assert "User Authentication Failed" in asker.ask(f"<LookupUser>{proof('c1', '4321')}</LookupUser>")[0]
        assert "Title One book" in asker.ask(f"<LookupItem>{item('b1')}</LookupItem>")[1]
        for _ in range(2):  # the second is the same, sent again
            assert "DateDue 2026-12-18" in _lend(asker)[-1]
        assert place.library.lent == [("c1", "b1")]
        assert "CheckOutItemResponse/Problem" in _lend(asker, card="c2")[0]
        assert "DateDue" in _renew(asker)[-1]
        for _ in range(2):
            assert "Problem" not in _return(asker)[0]
        assert "b1" not in place.library.loans
        assert "DateDue" in _lend(asker)[-1]  # it was returned since: a new loan
        placed = _request(asker, named=item("d2"))
        number = placed[0].removeprefix("RequestItemResponse/RequestId/RequestIdentifierValue ")
        assert number and _request(asker, named=item("d2")) == placed
        found = asker.ask(f"<LookupRequest>{user('c1')}{item('d2')}</LookupRequest>")
        assert found[0].endswith(number)
        named = f"<RequestId><RequestIdentifierValue>{number}</RequestIdentifierValue></RequestId>"
        for _ in range(2):
            assert _cancel(asker, named)[0] == f"CancelRequestItemResponse/RequestId/RequestIdentifierValue {number}"
        assert "Unsupported Service" in asker.ask(f"<DeleteItem>{item('b1')}</DeleteItem>")[0]


def test_while_it_is_away_a_loan_is_accepted_once_and_told_once(place: Place) -> None:
    with asking(place) as asker:
        place.off()
        for _ in range(3):
            assert "DateDue" in _lend(asker)[-1]
        assert "Temporary Processing Failure" in _request(asker)[0]  # which the policy does not accept
        for card in ("c1", "nobody"):  # who is a patron here, nobody knows meanwhile
            assert "Temporary Processing Failure" in asker.ask(f"<LookupUser>{user(card)}<LoanedItemsDesired/></LookupUser>")[0]
            music = asker.http.get("/netmusik/1", params={"userId": card, "userPincode": "1234"})
            assert music.json()["status"] == "service_unavailable"
        for asked in (
            f"<CheckOutItem>{proof('c2', '4321')}{item('d1')}</CheckOutItem>",
            f"<LookupRequest>{user('c1')}{item('d2')}</LookupRequest>",
        ):
            assert "Temporary Processing Failure" in asker.ask(asked)[0]  # not that the PIN is wrong, or that there is no such request
        place.on()
        place.clock.on(minutes=1)
        deadline = time.monotonic() + 20
        while place.library.lent != [("c1", "b1")]:
            assert time.monotonic() < deadline
            assert httpx.post(str(asker.http.base_url.join("/turn"))).status_code == 200
            place.clock.on(seconds=10)
        assert "DateDue" in _lend(asker)[-1]
        assert place.library.lent == [("c1", "b1")]


def test_another_title_of_the_same_name_is_another_title(place: Place) -> None:
    for barcode in ("d1", "d2"):
        place.library.copies[barcode].title = "One book"
    with asking(place) as asker:
        assert "Problem" not in _request(asker, named=item("d1"))[0]
        assert "Unknown Request" in asker.ask(f"<LookupRequest>{user('c1')}{item('d2')}</LookupRequest>")[0]
        assert "Unknown Request" in _cancel(asker, item("d2"))[0]
        assert [hold.title_id for hold in place.library.holds.values()] == [2]
        assert "Problem" not in _cancel(asker, item("d1"))[0] and place.library.holds == {}


def test_a_card_is_blocked_where_the_system_can_and_else_staff_are_told(place: Place) -> None:
    block = f"<UpdateUser>{user('c1')}<AddUserFields><BlockOrTrap><BlockOrTrapType>x</BlockOrTrapType></BlockOrTrap></AddUserFields></UpdateUser>"
    with asking(place) as asker:
        told = asker.ask(block)[0]
        if place.kind == "folio":
            assert told == "UpdateUserResponse/UserId/UserIdentifierValue c1" and place.library.patrons[1].restricted
        else:
            assert told == "UpdateUserResponse/Problem/ProblemType Unsupported Service"
            conflicts = asker.house.backend.conflicts()  # type: ignore[attr-defined]
            assert [(one.kind, one.reason) for one in conflicts] == [("block", "TERMINAL_CANNOT")]
