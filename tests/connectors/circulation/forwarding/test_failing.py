"""A library system that is there and does not do what it is asked: it is waited for, and what fails alone goes to staff."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.circulation.backend import Odd
from connectors.circulation.forwarding import Forwarding
from connectors.circulation.forwarding.resume import resumed
from include.engine.crypto.keys import MemoryKeyStore
from include.sandbox.servers.koha import SipServer
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.forwarding.conftest import Place, place_of, reasons


def test_a_transaction_that_always_fails_does_not_hold_up_the_others_and_goes_to_staff(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        await place.fails(forwarding, ("b1", "c1"), ("d1", "c1"), ("d1", ""), ("b2", "c2"), over="b1")
        for told in (0, 1, 3):  # what has to do with it stays behind it, and what has to do with that
            assert await place.turn(forwarding, minutes=1) == told
        assert reasons(forwarding)[0] == ("b1", "ILS_FAILS")
        assert place.library.lent == [("c2", "b2"), ("c1", "d1")] and "d1" not in place.library.loans

    place.run(work)


def test_a_library_system_that_takes_no_changes_for_an_hour_is_waited_for(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        await place.fails(forwarding, ("b1", "c1"), ("b2", "c2"))
        for _ in range(20):
            assert await place.turn(forwarding, minutes=3) == 0
        assert {reason for _, reason in reasons(forwarding)} == {"WAITS_FAILING"} and len(forwarding.state.waiting) == 2
        del place.library.lend  # type: ignore[method-assign]
        assert await place.turn(forwarding, minutes=1) == 2 and forwarding.conflicts() == []

    place.run(work)
    assert place.library.lent == [("c1", "b1"), ("c2", "b2")]


def test_what_fails_while_loans_at_the_machines_are_done_goes_to_staff(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        await place.fails(forwarding, ("b1", "c1"), over="b1")
        for _ in range(place.policy.tries):
            assert forwarding.conflicts() == []
            await place.turn(forwarding, minutes=1)
            forwarding.breaker.answered()
            assert (await forwarding.perform(place.lend("b2", "c2"))).reason == ""
            assert (await forwarding.perform(place.back("b2"))).ok
        assert reasons(forwarding) == [("b1", "ILS_FAILS")]

    place.run(work)


def test_what_nothing_is_known_of_for_longer_than_is_accepted_goes_to_staff_all_the_same(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        await place.fails(forwarding, ("b1", "c1"))
        for hours, told in ((1, 0), (place.policy.hours - 1, 0), (2, 1)):
            assert await place.turn(forwarding, hours=hours) == told
        assert reasons(forwarding) == [("b1", "ILS_FAILS")]

    place.run(work)


def test_a_process_that_is_killed_leaves_to_the_next_how_often_each_was_tried(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        await place.fails(forwarding, ("b1", "c1"))
        for _ in range(3):
            await place.turn(forwarding, minutes=1)
        (waiting,) = forwarding.state.waiting.values()
        assert waiting.tries == 3 and waiting.why
        assert resumed(place.home, place.keys).waiting == {waiting.number: waiting}

    place.run(work)


def test_what_cannot_be_looked_up_is_looked_up_again_in_a_moment_and_not_with_every_turn(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(forwarding: Forwarding) -> None:
        await place.fails(forwarding, ("b1", "c1"))
        await place.turn(forwarding, minutes=1)

        async def looked_up(request: Any, since: Any) -> Any:
            raise Odd("the library system answered 403 to its loans")

        monkeypatch.setattr(forwarding.remote, "happened", looked_up)
        (waiting,) = forwarding.state.waiting.values()
        for tries in (2, 3):
            place.clock.on(seconds=60)
            for _ in range(5):
                await forwarding.turn()
                forwarding.breaker.answered()
                place.clock.on(seconds=1)
            assert waiting.tries == tries

    place.run(work)


def test_what_was_not_answered_is_left_alone_for_a_moment(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        place.off()
        await forwarding.perform(place.lend("b1"))
        place.on()
        place.clock.on(minutes=1)
        place.faults.set("change_error")
        assert await forwarding.turn() == 0
        forwarding.breaker.answered()
        asked = len(place.faults.asked)
        assert await forwarding.turn() == 0 and len(place.faults.asked) == asked
        assert await place.turn(forwarding, seconds=11) == 1

    place.run(work)
    assert place.library.lent == [("c1", "b1")]


def test_a_page_for_people_hands_nothing_to_staff(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        place.off()
        await forwarding.perform(place.lend("b1"))
        place.on()
        place.faults.set("page", 99)
        for _ in range(5):
            assert await place.turn(forwarding, minutes=1) == 0
        place.faults.left.clear()
        assert await place.turn(forwarding, minutes=1) == 1 and forwarding.conflicts() == []

    place.run(work)
    assert place.library.lent == [("c1", "b1")]


def test_while_koha_s_sip2_server_alone_is_away_returns_wait_for_it(home: Path, keys: MemoryKeyStore, clock: Clock) -> None:
    with place_of("koha", home, keys, clock) as place:
        sip = SipServer(place.library, {"bindery": ("secret", "main")})
        with sip.serving() as port:
            place.more = {"checkin": {"by": "sip", "host": "127.0.0.1", "port": port, "accounts": {"main": "sip"}}}

        async def work(forwarding: Forwarding) -> None:
            assert (await forwarding.perform(place.lend("b1"))).reason == ""
            assert (await forwarding.perform(place.back("b1"))).reason == "AWAY_ACCEPTED"
            for _ in range(5):
                assert await place.turn(forwarding, minutes=1) == 0
            assert forwarding.conflicts() == []
            forwarding.breaker.answered()
            assert (await forwarding.perform(place.lend("d1", "c1"))).reason == ""  # REST is there all the time

        async def back(forwarding: Forwarding) -> None:
            assert await place.turn(forwarding, minutes=1) == 1 and forwarding.conflicts() == []

        place.run(work)
        with sip.serving(port):
            place.run(back)
        assert list(place.library.loans) == ["d1"]
