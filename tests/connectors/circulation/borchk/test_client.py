"""DBC's borrower check: every answer of its schema, over a real socket, from a stand-in that is valid by the schema too."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from connectors.circulation.borchk.client import STATUSES, Checked, Client
from include.engine.engine import ROOT
from include.engine.errors import Unreachable
from include.sandbox.servers.borchk import BorChk, Borrower, Library, borchk
from include.sandbox.servers.tls import certificates
from tests.loopback import dribbles, server

SCHEMA = ROOT.parent / "shared" / "ground_truth" / "dbc_borchk" / "borchk.xsd"
NAMESPACE = "{http://oss.dbc.dk/ns/borchk}"
CPR = "0101801234"
LIBRARIES = {
    "710100": Library({CPR: Borrower("1234", "101", True, ("Netlydbog",)), "1000001": Borrower("1234", "851")}, municipality="101"),
    "775100": Library({CPR: Borrower("1234")}),
    "860310": Library({}, answers=False),
    "737600": Library({CPR: Borrower()}, refuses=frozenset({"netpunkt"})),
}


@pytest.fixture(scope="module")
def running() -> Iterator[BorChk]:
    with borchk(LIBRARIES, {"netpunkt": False, "netmusik": True}) as service:
        yield service


@pytest.fixture
def service(running: BorChk) -> BorChk:
    running.faults.clear()
    running.asked.clear()
    return running


def _check(
    service: BorChk, library: str, user: str, pin: str | None = "1234", requester: str = "netpunkt", *, more: bool = False
) -> Checked:
    async def ask() -> Checked:
        async with Client(service.url, requester, attempts=2) as client:
            return await (client.check_more if more else client.check)(library, user, pin)

    return asyncio.run(ask())


ANSWERS = {
    "ok": ("710100", CPR, "1234", "netpunkt"),
    "service_not_licensed": ("710100", CPR, "1234", "somebody"),
    "service_unavailable": ("860310", CPR, "1234", "netpunkt"),
    "library_not_found": ("999999", CPR, "1234", "netpunkt"),
    "borrowercheck_not_allowed": ("737600", CPR, "1234", "netpunkt"),
    "borrower_not_found": ("710100", "nobody & <co>", "1234", "netpunkt"),
    "borrower_not_in_municipality": ("710100", "1000001", "1234", "netmusik"),
    "municipality_check_not_supported_by_library": ("775100", CPR, "1234", "netmusik"),
    "no_user_in_request": ("710100", "", "1234", "netpunkt"),
    "error_in_request": ("", CPR, "1234", "netpunkt"),
}


@pytest.mark.parametrize(("status", "asked"), ANSWERS.items(), ids=ANSWERS)
def test_every_answer_of_the_schema_is_told(service: BorChk, status: str, asked: tuple[str, str, str, str]) -> None:
    assert _check(service, *asked) == Checked(status)  # type: ignore[arg-type]
    assert ANSWERS.keys() == STATUSES


def test_a_pin_may_be_left_out_and_a_wrong_one_finds_nobody(service: BorChk) -> None:
    assert _check(service, "DK-710100", CPR, None).ok
    assert b"userPincode" not in service.asked[0]
    assert _check(service, "710100", CPR, "9999").status == "borrower_not_found"


def test_more_is_told_of_a_borrower_where_the_service_has_it(service: BorChk) -> None:
    assert _check(service, "710100", CPR, more=True) == Checked("ok", "101", True, ("Netlydbog",))
    assert _check(service, "710100", "1000001", more=True) == Checked("ok", "851", False, ())
    assert _check(service, "710100", "nobody", more=True) == Checked("borrower_not_found")


@pytest.mark.skipif(not SCHEMA.exists(), reason="the published schema is not on this machine")
def test_requests_and_answers_are_valid_by_the_published_schema(service: BorChk) -> None:
    import httpx

    schema = etree.XMLSchema(etree.parse(SCHEMA))
    for asked in ANSWERS.values():
        _check(service, *asked)
        request = next(etree.fromstring(service.asked[-1]).iter(f"{NAMESPACE}borrowerCheckRequest"))
        schema.assertValid(etree.ElementTree(request))
        answer = next(
            etree.fromstring(httpx.post(service.url, content=service.asked[-1]).content).iter(f"{NAMESPACE}borrowerCheckResponse")
        )
        schema.assertValid(etree.ElementTree(answer))
    enumeration = etree.parse(SCHEMA).iterfind(".//{*}simpleType[@name='statusType']//{*}enumeration")
    assert {one.get("value") for one in enumeration} == STATUSES


@pytest.mark.parametrize(
    ("fault", "words"),
    [("busy", "status 503"), ("fault", "a SOAP fault"), ("no_xml", "no XML"), ("somebody_else", "somebody else"), ("endless", "too long"),
     ("new_status", "not in the schema"), ("not_there", "status 404")],
)  # fmt: skip
def test_an_answer_that_is_none_is_an_error_without_anything_personal(service: BorChk, fault: str, words: str) -> None:
    service.faults.add(fault)
    with pytest.raises(Unreachable, match=words) as error:
        _check(service, "710100", CPR)
    assert CPR not in str(error.value) and "1234" not in str(error.value)
    assert len(service.asked) == (2 if fault == "busy" else 1)


def test_a_service_that_is_busy_for_a_moment_is_asked_again(service: BorChk) -> None:
    service.faults.add("busy_once")
    assert _check(service, "710100", CPR).ok
    assert len(service.asked) == 2


def test_nobody_there_is_an_error() -> None:
    with pytest.raises(Unreachable, match="ConnectError"):
        _check(BorChk({}, {}, port=1), "710100", CPR)


def _command(service: BorChk, *arguments: str, typed: str = f"{CPR}\n1234\n") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "connectors.circulation", "borrower-check", "710100", "--requester", "netpunkt", "--url", service.url]
    return subprocess.run([*command, *arguments], cwd=ROOT, input=typed, capture_output=True, text=True, check=False, timeout=60)


def test_the_command_asks_for_card_and_pin_and_tells_one_word(tmp_path: Path) -> None:
    files = certificates(tmp_path)
    with borchk(LIBRARIES, {"netpunkt": False}, tls=files) as service:
        done = _command(service, "--ca", str(files.authority))
        assert (done.returncode, done.stdout.rpartition(":")[2].strip()) == (0, "ok"), done.stderr
        refused = _command(service, "--ca", str(files.authority), typed="nobody\n\n")
        assert (refused.returncode, refused.stdout.rpartition(":")[2].strip()) == (1, "borrower_not_found")
        untrusted = _command(service)
        assert (untrusted.returncode, "did not answer as it should" in untrusted.stderr) == (1, True)
        assert CPR not in done.stdout + done.stderr + untrusted.stderr


def test_the_command_speaks_to_nobody_without_tls(service: BorChk) -> None:
    assert _command(service).returncode == 2


def test_an_answer_that_dribbles_is_none() -> None:
    async def work() -> None:
        async with (
            server(dribbles) as url,
            Client(url, "netpunkt", seconds=0.3, attempts=2) as client,
            asyncio.timeout(20),
        ):
            with pytest.raises(Unreachable):
                await client.check("710100", CPR, "1234")

    asyncio.run(work())
