"""A library system that is there and does not do what it is asked: it is waited for, what fails alone goes to staff, and a "no" that was none is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.circulation.backend import Away, Odd
from connectors.circulation.forwarding import Forwarding
from connectors.circulation.forwarding.pages import status
from connectors.circulation.forwarding.report import rows
from connectors.circulation.forwarding.resume import resumed
from include.engine.crypto.keys import MemoryKeyStore
from include.sandbox.servers.ils.state import Copy as Book
from include.sandbox.servers.ils.state import Loan, Patron
from include.sandbox.servers.koha import SipServer
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.forwarding.conftest import Place, place_of, reasons


def trips(place: Place, *over: str) -> None:
    """From now on the library system fails at these copies, and at all when none is named."""
    lend = place.library.__class__.lend

    def lends(patron: Patron, copy: Book, *more: object) -> Loan:
        if not over or copy.barcode in over:
            raise RuntimeError("the library system trips")
        return lend(place.library, patron, copy, *more)  # type: ignore[arg-type]

    place.library.lend = lends  # type: ignore[assignment, method-assign]


async def wait(forwarding: Forwarding, place: Place, *loans: tuple[str, str]) -> None:
    """These loans (item, card), and returns (without a card), wait for a library system that is back."""
    place.off()
    place.clock.on(minutes=1)
    for item, card in loans:
        assert (await forwarding.perform(place.lend(item, card) if card else place.back(item))).ok
    place.on()


def test_a_transaction_that_always_fails_does_not_hold_up_the_others_and_goes_to_staff(place: Place) -> None:
    place.policy = place.policy.model_copy(update={"tries": 2})

    async def work(forwarding: Forwarding) -> None:
        await wait(forwarding, place, ("b1", "c1"), ("d1", "c1"), ("d1", ""), ("b2", "c2"))
        trips(place, "b1")
        for told in (0, 1, 3):  # what has to do with it stays behind it, and what has to do with that
            place.clock.on(minutes=1)
            assert await forwarding.turn() == told
        assert reasons(forwarding)[0] == ("b1", "ILS_FAILS")
        assert place.library.lent == [("c2", "b2"), ("c1", "d1")] and "d1" not in place.library.loans

    place.run(work)


def test_a_library_system_that_takes_no_changes_for_an_hour_is_waited_for(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        await wait(forwarding, place, ("b1", "c1"), ("b2", "c2"))
        trips(place)
        for _ in range(20):
            place.clock.on(minutes=3)
            assert await forwarding.turn() == 0
        assert {reason for _, reason in reasons(forwarding)} == {"WAITS_FAILING"} and len(forwarding.state.waiting) == 2
        del place.library.lend  # type: ignore[method-assign]
        place.clock.on(minutes=1)
        assert await forwarding.turn() == 2 and forwarding.conflicts() == []

    place.run(work)
    assert place.library.lent == [("c1", "b1"), ("c2", "b2")]


def test_what_fails_while_loans_at_the_machines_are_done_goes_to_staff(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        await wait(forwarding, place, ("b1", "c1"))
        trips(place, "b1")
        for _ in range(place.policy.tries):
            assert forwarding.conflicts() == []
            place.clock.on(minutes=1)
            await forwarding.turn()
            forwarding.breaker.answered()
            assert (await forwarding.perform(place.lend("b2", "c2"))).reason == ""
            assert (await forwarding.perform(place.back("b2"))).ok
        assert reasons(forwarding) == [("b1", "ILS_FAILS")]

    place.run(work)


def test_what_nothing_is_known_of_for_longer_than_is_accepted_goes_to_staff_all_the_same(place: Place) -> None:
    place.policy = place.policy.model_copy(update={"tries": 2})

    async def work(forwarding: Forwarding) -> None:
        await wait(forwarding, place, ("b1", "c1"))
        trips(place)
        for hours, told in ((1, 0), (place.policy.hours - 1, 0), (2, 1)):
            place.clock.on(hours=hours)
            assert await forwarding.turn() == told
        assert reasons(forwarding) == [("b1", "ILS_FAILS")]

    place.run(work)


def test_a_process_that_is_killed_leaves_to_the_next_how_often_each_was_tried(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        await wait(forwarding, place, ("b1", "c1"))
        trips(place)
        for _ in range(3):
            place.clock.on(minutes=1)
            await forwarding.turn()
        (waiting,) = forwarding.state.waiting.values()
        assert waiting.tries == 3 and waiting.why
        assert resumed(place.home, place.keys).waiting == {waiting.number: waiting}

    place.run(work)


def test_what_cannot_be_looked_up_is_looked_up_again_in_a_moment_and_not_with_every_turn(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(forwarding: Forwarding) -> None:
        await wait(forwarding, place, ("b1", "c1"))
        trips(place)
        place.clock.on(minutes=1)
        await forwarding.turn()

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
        place.clock.on(seconds=11)
        assert await forwarding.turn() == 1

    place.run(work)
    assert place.library.lent == [("c1", "b1")]


def test_a_page_for_people_hands_nothing_to_staff(place: Place) -> None:
    place.policy = place.policy.model_copy(update={"tries": 2})

    async def work(forwarding: Forwarding) -> None:
        place.off()
        await forwarding.perform(place.lend("b1"))
        place.on()
        place.faults.set("page", 99)
        for _ in range(5):
            place.clock.on(minutes=1)
            assert await forwarding.turn() == 0
        place.faults.left.clear()
        place.clock.on(minutes=1)
        assert await forwarding.turn() == 1 and forwarding.conflicts() == []

    place.run(work)
    assert place.library.lent == [("c1", "b1")]


def test_while_koha_s_sip2_server_alone_is_away_returns_wait_for_it(home: Path, keys: MemoryKeyStore, clock: Clock) -> None:
    with place_of("koha", home, keys, clock) as place:
        sip = SipServer(place.library, {"bindery": ("secret", "main")})
        with sip.serving() as port:
            place.more = {"checkin": {"by": "sip", "host": "127.0.0.1", "port": port, "accounts": {"main": "sip"}}}
        place.policy = place.policy.model_copy(update={"tries": 2})

        async def work(forwarding: Forwarding) -> None:
            assert (await forwarding.perform(place.lend("b1"))).reason == ""
            assert (await forwarding.perform(place.back("b1"))).reason == "AWAY_ACCEPTED"
            for _ in range(5):
                place.clock.on(minutes=1)
                assert await forwarding.turn() == 0
            assert forwarding.conflicts() == []
            forwarding.breaker.answered()
            assert (await forwarding.perform(place.lend("d1", "c1"))).reason == ""  # REST is there all the time

        async def back(forwarding: Forwarding) -> None:
            place.clock.on(minutes=1)
            assert await forwarding.turn() == 1 and forwarding.conflicts() == []

        place.run(work)
        with sip.serving(port):
            place.run(back)
        assert list(place.library.loans) == ["d1"]


def _goes_away_after_the_work(place: Place) -> None:
    lend = place.library.lend

    def lends(*asked: Any) -> Loan:
        place.faults.set("maintenance", 9)
        return lend(*asked)

    place.library.lend = lends  # type: ignore[method-assign]
    place.faults.set("change_error")


def test_what_was_done_though_its_machine_was_told_no_is_told_to_staff_with_both_sides(place: Place) -> None:
    place.policy = place.policy.model_copy(update={"services": frozenset()})

    async def work(forwarding: Forwarding) -> None:
        _goes_away_after_the_work(place)
        with pytest.raises(Away):
            await forwarding.perform(place.lend("b1"))
        assert forwarding.conflicts() == [] and "b1" in place.library.loans
        place.faults.left.clear()
        place.clock.on(minutes=1)
        await forwarding.checkpoint()

    async def after(forwarding: Forwarding) -> None:
        await forwarding.turn()
        (conflict,) = forwarding.conflicts()
        assert (conflict.kind, conflict.asked["item"], conflict.reason) == ("checkout", "b1", "DONE_AFTER_ALL")
        assert (conflict.said.get("ok", False), conflict.said["reason"], conflict.found["ok"]) == (False, "AWAY", True)
        asked = len(place.faults.asked)
        place.clock.on(minutes=1)
        await forwarding.turn()
        assert len(place.faults.asked) == asked and len(forwarding.conflicts()) == 1  # once

    place.run(work)
    place.run(after)


def test_what_cannot_be_looked_up_holds_up_no_other_and_goes_to_staff(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.policy = place.policy.model_copy(update={"services": frozenset()})

    async def work(forwarding: Forwarding) -> None:
        for item, card in (("b1", "c1"), ("b2", "c2")):
            _goes_away_after_the_work(place)
            with pytest.raises(Away):
                await forwarding.perform(place.lend(item, card))
            del place.library.lend  # type: ignore[method-assign]
            place.faults.left.clear()
            forwarding.breaker.answered()
        happened = forwarding.remote.happened

        async def looked_up(request: Any, since: Any) -> Any:
            if request.item == "b1":
                raise Away("the library system answered 500")
            return await happened(request, since)

        monkeypatch.setattr(forwarding.remote, "happened", looked_up)
        for _ in range(20):
            place.clock.on(minutes=1)
            await forwarding.turn()
            assert reasons(forwarding) == [("b2", "DONE_AFTER_ALL")] and forwarding.breaker.state == "closed"
        place.clock.on(minutes=10)
        await forwarding.turn()
        assert reasons(forwarding)[1:] == [("b1", "ILS_FAILS")] and forwarding.state.doubts == {}

    place.run(work)


def test_a_machine_that_asks_again_gets_its_answer_and_staff_hear_nothing(place: Place) -> None:
    place.policy = place.policy.model_copy(update={"services": frozenset()})

    async def work(forwarding: Forwarding) -> None:
        request = place.lend("b1")
        _goes_away_after_the_work(place)
        for _ in range(2):
            with pytest.raises(Away):
                await forwarding.perform(request)
        assert len(forwarding.state.doubts) == 1
        place.faults.left.clear()
        forwarding.breaker.answered()
        assert (await forwarding.perform(request)).ok
        place.clock.on(minutes=1)
        await forwarding.turn()
        assert forwarding.conflicts() == [] and forwarding.state.doubts == {}

    place.run(work)
    assert place.library.lent == [("c1", "b1")]


def test_what_was_refused_and_not_done_is_no_conflict(place: Place) -> None:
    place.policy = place.policy.model_copy(update={"services": frozenset()})

    async def work(forwarding: Forwarding) -> None:
        place.faults.set("change_lost")
        with pytest.raises(Away):
            await forwarding.perform(place.lend("b1"))
        place.clock.on(minutes=1)
        await forwarding.turn()
        assert forwarding.conflicts() == [] and forwarding.state.doubts == {}

    place.run(work)


def test_staff_hear_soon_that_something_fails_and_that_it_is_done_at_last(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        await wait(forwarding, place, ("b1", "c1"))
        trips(place, "b1")
        for _ in range(29):
            await forwarding.turn()
            assert forwarding.conflicts() == []
            place.clock.on(minutes=1)
        place.clock.on(minutes=1)
        for _ in range(3):  # once, however long it goes on
            assert await forwarding.turn() == 0
            assert reasons(forwarding) == [("b1", "WAITS_FAILING")]
            place.clock.on(minutes=1)
        (told,) = rows(forwarding.conflicts(), "en", forwarding.rules.zone)
        assert (told["what"], told["machine"].split(",")[0], told["system"]) == ("checkout", "ok", "no, ILS_FAILS")

    async def after(forwarding: Forwarding) -> None:
        assert reasons(forwarding) == [("b1", "WAITS_FAILING")]
        del place.library.lend  # type: ignore[method-assign]
        assert await forwarding.turn() == 1 and forwarding.conflicts() == []

    async def nothing_is_open(forwarding: Forwarding) -> None:
        assert forwarding.conflicts() == []

    place.run(work)
    place.run(after)
    place.run(nothing_is_open)
    assert place.library.lent == [("c1", "b1")]


def test_of_a_library_system_that_is_away_staff_hear_once_by_what_has_waited_longest(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        await wait(forwarding, place, ("b1", "c1"), ("b2", "c2"))
        place.off()
        for _ in range(40):
            place.clock.on(minutes=1)
            await forwarding.turn()
        assert reasons(forwarding) == [("b1", "WAITS_AWAY")]
        assert status(forwarding)["oldest_waiting"] == next(iter(forwarding.state.waiting.values())).at
        place.on()
        place.clock.on(minutes=1)
        assert await forwarding.turn() == 2 and forwarding.conflicts() == []
        assert status(forwarding)["oldest_waiting"] is None

    place.run(work)


def test_what_staff_have_closed_is_not_told_again_until_the_library_system_has_failed_at_it_for_good(place: Place) -> None:
    place.policy = place.policy.model_copy(update={"tries": 2})

    async def work(forwarding: Forwarding) -> None:
        await wait(forwarding, place, ("b1", "c1"))
        trips(place)
        for _ in range(3):
            place.clock.on(hours=1)
            await forwarding.turn()
        (waits,) = forwarding.conflicts()
        assert await forwarding.close_conflict(waits.number)
        place.clock.on(hours=1)
        await forwarding.turn()
        assert forwarding.conflicts() == []
        place.clock.on(hours=place.policy.hours)
        assert await forwarding.turn() == 1 and reasons(forwarding) == [("b1", "ILS_FAILS")]

    place.run(work)
