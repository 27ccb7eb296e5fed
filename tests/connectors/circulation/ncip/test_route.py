"""Who may ask, what is answered when nothing can be, and what a bad message costs: its own answer, and nobody else's."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import threading
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from connectors.circulation.backend import Away
from connectors.circulation.domain import Credentials, Item, Outcome, Patron, Request
from connectors.circulation.doors import Doors, within
from connectors.circulation.embedded.backend import Embedded
from connectors.circulation.journal import JournalFailed
from connectors.circulation.ncip import problems
from connectors.circulation.ncip.answering import ANSWERS
from connectors.circulation.words import table
from include.engine.errors import SettingsError
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.ncip.asking import Caller, caller, doors, elements, item, lines, message, proof, user
from tests.connectors.circulation.ncip.conftest import CPR
from tests.connectors.circulation.running import PASSWORD

LOOKUP = f"<LookupUser>{user('c1')}</LookupUser>"
REFUSED = ["LookupUserResponse/Problem/ProblemType Agency Authentication Failed",
           "LookupUserResponse/Problem/ProblemElement FromAgencyAuthentication"]  # fmt: skip


class TestWhoMayAsk:
    @pytest.mark.parametrize(
        ("agency", "password"),
        [("DK-999999", "wrong"), ("DK-999999", ""), ("DK-000000", "secret"), ("", ""), ("DK-190101x", "")],
    )
    def test_a_wrong_agency_or_password_is_told_nothing(self, asker: Caller, agency: str, password: str) -> None:
        assert asker.ask(LOOKUP, agency=agency, password=password) == REFUSED

    @pytest.mark.parametrize("agency", ["DK-190101", "190101", "dk-190101"])
    def test_an_agency_is_the_same_however_it_is_written(self, asker: Caller, agency: str) -> None:
        assert asker.ask(LOOKUP, agency=agency, password="")[0] == "LookupUserResponse/UserId/UserIdentifierValue c1"

    @pytest.mark.parametrize(("address", "allowed"), [("192.0.2.15", True), ("192.0.2.16", False), ("2001:db8::1", False), ("x", False)])
    def test_a_caller_asks_from_its_own_addresses_alone(self, asker: Caller, address: str, allowed: bool) -> None:
        """A proxy on this machine tells where a message came from."""
        body = message(LOOKUP, agency="DK-190101", password="")
        answer = asker.post(body, **{"X-Forwarded-For": address})
        assert (lines(answer.content) != REFUSED) is allowed

    def test_from_where_nobody_may_ask_nothing_is_even_read(self, living: Embedded, clock: Clock) -> None:
        known = Doors.model_validate({"agency": "DK-710100", "callers": {"far": {"addresses": ["192.0.2.0/24"]}}})
        with caller(living, clock, known) as asker:
            answer = asker.post(b"<no xml")
            assert (answer.status_code, lines(answer.content)[0]) == (403, "Problem/ProblemType Agency Authentication Failed")
            asker.house.doors = None
            assert asker.post(message(LOOKUP)).status_code == 403

    @pytest.mark.parametrize(
        ("address", "network", "inside"),
        [("10.1.2.3", "10.1.2.0/24", True), ("::ffff:10.1.2.3", "10.1.2.0/24", True), ("10.1.3.3", "10.1.2.0/24", False),
         ("2001:db8::5", "2001:db8::/64", True), ("", "0.0.0.0/0", False), ("testclient", "0.0.0.0/0", False)],
    )  # fmt: skip
    def test_an_address_lies_in_a_network(self, address: str, network: str, inside: bool) -> None:
        assert within(address, [ip_network(network)]) is inside

    def test_a_service_that_a_caller_may_not_have_is_refused(self, asker: Caller) -> None:
        found = asker.ask(f"<CheckOutItem>{user('c1')}{item('b1')}</CheckOutItem>", agency="DK-190101", password="")
        assert found[0] == "CheckOutItemResponse/Problem/ProblemType Unauthorized Service For Agency"

    @pytest.mark.parametrize(
        ("to", "ours"), [("DK-710100", True), ("710100", True), ("DK-710100_Filial", True), ("", True), ("DK-775100", False)]
    )
    def test_a_message_to_another_library_is_not_answered_for_it(self, asker: Caller, to: str, ours: bool) -> None:
        found = lines(asker.post(message(LOOKUP, to=to)).content)
        assert (found[0] == "LookupUserResponse/Problem/ProblemType Unknown Agency") is not ours

    def test_a_caller_is_known_by_its_password_where_two_have_one_agency(self, living: Embedded, clock: Clock) -> None:
        two: dict[str, Any] = {"agencies": ["DK-999999"], "addresses": ["127.0.0.1/32"], "services": ["LookupVersion"]}
        with caller(living, clock, doors(second=two)) as asker:
            assert asker.ask(LOOKUP)[0] == "LookupUserResponse/UserId/UserIdentifierValue c1"
            assert "Unauthorized Service" in asker.ask(LOOKUP, password="")[0]


class TestMalformed:
    @pytest.mark.parametrize(
        ("body", "status"),
        [(b"", 200), (b"11YN", 200), (b"<NCIPMessage>", 200), (b"<!DOCTYPE a [<!ENTITY b 'c'>]><NCIPMessage/>", 200), (b"<a>" * 300_000, 413)],
        ids=["nothing", "SIP2", "cut off", "an entity", "too long"],
    )  # fmt: skip
    def test_it_gets_a_problem(self, asker: Caller, body: bytes, status: int) -> None:
        answer = asker.post(body)
        assert (answer.status_code, lines(answer.content)[0]) == (status, "Problem/ProblemType Invalid Message Syntax Error")
        assert answer.headers["cache-control"] == "no-store"

    def test_it_costs_no_other_connection_anything(self, asker: Caller, living: Embedded) -> None:
        """Good messages, lies about their length, floods and silence at once: each good one has its own answer."""
        port = asker.http.base_url.port
        assert port is not None
        stop = threading.Event()

        def bad(number: int) -> None:
            for _ in range(10):
                if stop.wait(0.02):
                    return
                with socket.create_connection(("127.0.0.1", port), 10) as wire:
                    head = f"POST /ncip HTTP/1.1\r\nHost: x\r\nContent-Length: {[5, 100_000, 999_999_999, 0][number]}\r\n\r\n"
                    wire.sendall(head.encode() + [b"<a>", b"<NCIPMessage>" * 20, b"\0" * 400_000, b""][number])
                    if number != 1:
                        wire.settimeout(0.5)
                        try:
                            wire.recv(4096)
                        except OSError:
                            continue

        troublers = [threading.Thread(target=bad, args=(number,), daemon=True) for number in range(4)]
        for one in troublers:
            one.start()

        async def good(name: int) -> int:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
                told = 0
                for _ in range(15):
                    card = f"c{name % 3 + 1}"
                    answer = await http.post("/ncip", content=message(f"<LookupUser>{user(card)}</LookupUser>"))
                    told += lines(answer.content)[0] == f"LookupUserResponse/UserId/UserIdentifierValue {card}"
                return told

        async def every() -> list[int]:
            return await asyncio.gather(*(good(name) for name in range(6)))

        try:
            assert asyncio.run(every()) == [15] * 6
        finally:
            stop.set()
            for one in troublers:
                one.join(10)

    def test_a_body_that_never_comes_is_given_up(self, living: Embedded, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("connectors.circulation.ncip.route.received.__defaults__", (1000, 0.2))
        with caller(living, clock) as asker, socket.create_connection(("127.0.0.1", asker.http.base_url.port or 0), 10) as wire:
            wire.sendall(b"POST /ncip HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n<NCIP")
            assert b" 408 " in wire.recv(4096)


class _Broken:
    """A back end of which every call raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def patron(self, who: Credentials, *, whole: bool = True) -> Patron | None:
        raise self.error

    async def item(self, item: str) -> Item | None:
        raise self.error

    async def perform(self, request: Request) -> Outcome:
        raise self.error

    async def online(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("error", "status"),
    [(Away("the library system is away"), 200), (JournalFailed("the disk is full"), 503), (ValueError(f"no patron {CPR} 1234"), 500)],
    ids=["away", "no journal", "a fault of ours"],
)
def test_when_nothing_can_be_answered_the_caller_is_told_to_come_again(
    error: Exception, status: int, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with caller(_Broken(error), clock) as asker, caplog.at_level(logging.DEBUG):
        for inside in (LOOKUP, f"<CheckOutItem>{user('c1')}{item('b1')}</CheckOutItem>", f"<LookupItem>{item('b1')}</LookupItem>"):
            answer = asker.post(message(inside))
            assert (answer.status_code, lines(answer.content)[0].split("ProblemType ")[1]) == (status, "Temporary Processing Failure")
    told = _told(caplog)
    assert told and CPR not in told and "1234" not in told


def _told(caplog: pytest.LogCaptureFixture) -> str:
    """What was logged, but for the asker's own lines, which have ports in them."""
    records = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore", "asyncio"))]
    return "\n".join(map(logging.Formatter().format, records))


def test_nothing_personal_is_logged_or_counted(asker: Caller, caplog: pytest.LogCaptureFixture) -> None:
    asked = elements("Name Information", "User Address Information", "Date Of Birth")
    with caplog.at_level(logging.DEBUG):
        for old in (True, False):
            for inside in (f"<LookupUser>{proof(CPR, '1234', old)}{asked}</LookupUser>", f"<LookupUser>{proof(CPR, '9876', old)}</LookupUser>",
                           f"<CheckOutItem>{user('c1', old)}{item('b1', old)}</CheckOutItem>", f"<{CPR}/>", f"<A{CPR}>{CPR}</A{CPR}>"):  # fmt: skip
                asker.post(message(inside, old=old))
            asker.post(message(LOOKUP, agency=CPR, password="p4ssw0rd", to=CPR))
        asker.post(f"<LookupUser>{CPR}&Havnegade;</LookupUser>".encode())
        asker.http.get("/netmusik/1", params={"userId": CPR, "userPincode": "9876"})
        asker.http.post("/netmusik/1", data={"userId": CPR, "userPincode": "1234"})
    counted = re.sub(
        r" \S+$", "", asker.house.metrics.page().decode(), flags=re.MULTILINE
    )  # without seconds: any digits may be among theirs
    told = _told(caplog) + counted
    assert len(told.splitlines()) > 10
    for personal in (CPR, CPR[:6], "9876", "1234", "Reader", "Havnegade", "example.org", "secret", "p4ssw0rd", " c1", "b1"):
        assert personal not in told, personal


def test_messages_are_counted_by_caller_service_and_how_they_went(asker: Caller) -> None:
    asker.ask(LOOKUP)
    asker.ask(f"<LookupUser>{user('nobody')}</LookupUser>")
    asker.post(b"nonsense")
    page = asker.house.metrics.page().decode()
    for labels in ('caller="own",service="LookupUser",status="ok"', 'caller="own",service="LookupUser",status="refused"',
                   'caller="nobody",service="",status="unreadable"'):  # fmt: skip
        assert f"ncip_messages_total{{{labels}}} 1.0" in page
    assert 'ncip_seconds_count{service="LookupUser"} 2.0' in page


@pytest.mark.parametrize("reason", sorted(table()))
def test_every_reason_has_a_problem_type_that_the_standard_has(reason: str) -> None:
    for service in ANSWERS:
        assert problems.because(service, reason).kind in problems.GENERAL | problems.OWN.get(service, frozenset())


class TestNetmusik:
    """Our own contract, version 1: the names and words of DBC's borrower check."""

    @pytest.mark.parametrize(
        ("asked", "status"),
        [
            ({"libraryCode": "710100", "userId": CPR, "userPincode": "1234"}, "ok"),
            ({"libraryCode": "DK-710100", "userId": f"{CPR[:6]}-{CPR[6:]}", "userPincode": "1234"}, "ok"),
            ({"userId": "c1", "userPincode": "1234"}, "ok"),
            ({"libraryCode": "775100", "userId": "c1", "userPincode": "1234"}, "library_not_found"),
            ({"userId": "c1", "userPincode": "4321"}, "borrower_not_found"),
            ({"userId": "nobody", "userPincode": "1234"}, "borrower_not_found"),
            ({"userId": "c2", "userPincode": "1234"}, "borrower_not_found"),
            ({"userId": "c1"}, "error_in_request"),
            ({"userPincode": "1234"}, "no_user_in_request"),
            ({}, "no_user_in_request"),
        ],
    )
    def test_get_and_post_are_answered_by_one_word(self, asker: Caller, asked: dict[str, str], status: str) -> None:
        for answer in (asker.http.get("/netmusik/1", params=asked), asker.http.post("/netmusik/1", data=asked)):
            user_id = asked.get("userId", "")
            assert (answer.status_code, answer.json()) == (200, {"version": 1, "userId": user_id, "status": status})

    def test_residents_alone_are_ok_where_the_door_says_so(self, asker: Caller, living: Embedded) -> None:
        asked = {"userId": "c1", "userPincode": "1234"}
        for municipality, status in (
            ("0101", "ok"),
            ("851", "borrower_not_in_municipality"),
            ("", "municipality_check_not_supported_by_library"),
        ):
            row = living.store.get("patron", "p1") or {}
            living.store.apply([["patron", row | {"municipality": municipality}]])
            assert asker.http.get("/netmusik/1", params=asked).json()["status"] == status

    def test_others_may_not_ask_and_bad_forms_are_borne(self, asker: Caller) -> None:
        for headers in ({"X-Forwarded-For": "192.0.2.1"}, {"X-Forwarded-For": "nonsense"}):
            answer = asker.http.get("/netmusik/1", params={"userId": "c1", "userPincode": "1234"}, headers=headers)
            assert (answer.status_code, answer.json()["status"]) == (403, "borrowercheck_not_allowed")
        for body in (b"\xff\xfe&&==", b"a=b&" * 500, b"x" * 10_000):
            assert asker.http.post("/netmusik/1", content=body).json()["status"] == "no_user_in_request"
        assert asker.http.put("/netmusik/1").status_code == 405

    def test_guessing_ends(self, asker: Caller) -> None:
        for _ in range(5):
            asker.http.get("/netmusik/1", params={"userId": "c1", "userPincode": "9999"})
        assert asker.http.get("/netmusik/1", params={"userId": "c1", "userPincode": "1234"}).json()["status"] == "borrower_not_found"

    def test_a_library_system_that_is_away_is_told(self, clock: Clock) -> None:
        with caller(_Broken(Away("away")), clock) as asker:
            assert asker.http.get("/netmusik/1", params={"userId": "c1", "userPincode": "1"}).json()["status"] == "service_unavailable"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"callers": {"x": {"agencies": ["DK-1"]}}}, "known by its addresses or by a password"),
        ({"callers": {"x": {"password": "plainly"}}}, "stands here as its hash"),
        ({"callers": {"x": {"addresses": ["10.0.0.1/8"]}}}, "callers.x.addresses.0"),
        ({"callers": {"x": {"password": PASSWORD, "services": ["MakeCoffee"]}}}, "LookupUser"),
        ({"callers": {"x": {"password": PASSWORD, "tells": ["pin"]}}}, "municipality"),
        ({"netmusik": {"addresses": []}}, "at least 1 item"),
        ({"agency": None}, "agency"),
        ({"door": {}}, "is not known here"),
    ],
)
def test_doors_that_cannot_be_used_are_told_with_file_and_reason(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    file = tmp_path / "doors.yaml"
    file.write_text(yaml.safe_dump({"agency": "DK-710100"} | change))
    with pytest.raises(SettingsError, match=words) as error:
        Doors.load(file)
    assert str(file) in str(error.value)
    assert "plainly" not in str(error.value) and PASSWORD not in str(error.value)
