"""What waits too long: staff hear of it once, while it goes on being tried, and no more once it is told."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from connectors.circulation.forwarding import Forwarding
from connectors.circulation.forwarding.pages import status
from connectors.circulation.forwarding.report import rows
from tests.connectors.circulation.forwarding.conftest import Place, reasons


def test_staff_hear_soon_that_something_fails_and_that_it_is_done_at_last(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        await place.fails(forwarding, ("b1", "c1"), over="b1")
        for _ in range(29):
            await forwarding.turn()
            assert forwarding.conflicts() == []
            place.clock.on(minutes=1)
        place.clock.on(minutes=1)
        for _ in range(3):  # once, however long it goes on
            assert await forwarding.turn() == 0
            assert reasons(forwarding) == [("b1", "WAITS_FAILING")]
            place.clock.on(minutes=1)
        (told,) = rows(forwarding.conflicts(), "en", ZoneInfo("Europe/Copenhagen"))
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
        await place.waits(forwarding, ("b1", "c1"), ("b2", "c2"))
        place.off()
        for _ in range(40):
            await place.turn(forwarding, minutes=1)
        assert reasons(forwarding) == [("b1", "WAITS_AWAY")]
        assert status(forwarding)["oldest_waiting"] == next(iter(forwarding.state.waiting.values())).at
        place.on()
        assert await place.turn(forwarding, minutes=1) == 2 and forwarding.conflicts() == []
        assert status(forwarding)["oldest_waiting"] is None

    place.run(work)


def test_what_staff_have_closed_is_not_told_again_until_the_library_system_has_failed_at_it_for_good(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        await place.fails(forwarding, ("b1", "c1"))
        for _ in range(3):
            await place.turn(forwarding, hours=1)
        (waits,) = forwarding.conflicts()
        assert await forwarding.close_conflict(waits.number)
        await place.turn(forwarding, hours=1)
        assert forwarding.conflicts() == []
        assert await place.turn(forwarding, hours=place.policy.hours) == 1 and reasons(forwarding) == [("b1", "ILS_FAILS")]

    place.run(work)
