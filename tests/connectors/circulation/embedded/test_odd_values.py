"""Values that no machine should send, and some do: they are answered, and what is kept of them can be kept anywhere."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from connectors.circulation.embedded.backend import Embedded, opened
from connectors.circulation.embedded.rules import Rules
from connectors.circulation.profile import Profile
from connectors.circulation.sip2.framing import opened as unframed
from connectors.circulation.sip2.framing import sealed
from connectors.circulation.terminals import Terminal
from include.engine.crypto.keys import MemoryKeyStore
from tests.connectors.circulation.conftest import Clock, take_over
from tests.connectors.circulation.running import PASSWORD, Raw, running, terminals

NOW = "20261120    130000"


def test_a_zero_byte_in_a_value_stops_neither_the_answer_nor_the_next_start(
    kiosk: Raw, library: Embedded, home: Path, keys: MemoryKeyStore, rules: Rules, clock: Clock
) -> None:
    assert kiosk.ask(f"19{NOW}AOlindeby|ABb1|CHa\0b|").startswith("201")
    library.close(keep=False)
    take_over(library, opened(home, keys, rules, now=clock))
    assert library.store.get("item", "b1")["properties"] == "a b"


def test_a_loan_without_an_end_has_the_library_s_and_one_of_an_export_is_told(kiosk: Raw, library: Embedded) -> None:
    assert "AH20261218    235900|" in kiosk.ask(f"11NY{NOW}99991231   Z235959AOlindeby|AAc1|ABb1|AC|")
    library.store.apply([["loan", library.store.get("loan", "b1") | {"due": 253402300799}]])
    assert "AH99991231    235959|" in kiosk.ask(f"17{NOW}AOlindeby|ABb1|")


def test_a_loan_without_an_end_is_told_as_the_profile_writes_dates(library: Embedded, clock: Clock) -> None:
    library.store.apply([["loan", {"item": "b1", "patron": "p1", "loaned_at": 0, "due": 253402300799, "renewals": 0}]])
    library.store.apply([["item", library.store.get("item", "b1") | {"status": "on_loan"}]])
    profile = Profile.model_validate({"output": {"due_format": "%d-%m-%Y"}})
    with running(library, now=clock, profile=profile) as server, Raw(server.port) as kiosk:
        kiosk.log_in()
        assert "AH31-12-9999|" in kiosk.ask(f"17{NOW}AOlindeby|ABb1|")


def test_a_page_that_begins_beyond_all_numbers_is_answered(kiosk: Raw) -> None:
    assert kiosk.ask(f"63001{NOW}  Y       AOlindeby|AAc1|AC|BP{'1' * 5000}|").startswith("64 ")


@pytest.mark.parametrize("barcode", ["AZ1234", "MAY1"])
def test_a_barcode_that_looks_like_error_detection_is_a_barcode(kiosk: Raw, library: Embedded, barcode: str) -> None:
    library.store.apply([["item", library.store.get("item", "b1") | {"item": barcode}]])
    assert f"AB{barcode}|AJOne book|" in kiosk.ask(f"17{NOW}AOlindeby|AB{barcode}|")


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("9900802.00AY1", b"9900802.00"),
        ("9900802.00", b"9900802.00"),
        ("97", b"97"),
        ("17|ABb1|", b"17|ABb1|"),
        ("17|ABMAY1|AY3", b"17|ABMAY1|"),
    ],
)
def test_error_detection_follows_a_fixed_field_or_a_delimiter(line: str, body: bytes) -> None:
    whole = sealed(line, sequence="", terminator=b"")
    assert (unframed(whole).body, unframed(whole).intact) == (body, True)
    assert not unframed(whole[:-4] + b"0000").intact


def test_a_login_that_had_no_room_has_it_once_there_is_some(library: Embedded, clock: Clock) -> None:
    line = sealed("9300CNone|COsecret|", sequence="0")  # a machine that counts nothing: each of its lines has this number
    known = terminals(one=Terminal(password=PASSWORD, connections=1))
    with running(library, now=clock, known=known) as server, Raw(server.port) as late:
        with Raw(server.port) as early:
            early.send(line)
            assert early.read().startswith(b"941")
            late.send(line)
            assert late.read().startswith(b"940")
        while server.house.present["one"]:  # until it is noticed that the first has gone
            time.sleep(0.001)
        late.send(line)
        assert late.read().startswith(b"941")
