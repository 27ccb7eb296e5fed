"""What the library system does not agree with: both sides are shown until staff have closed it."""

from __future__ import annotations

from connectors.circulation.forwarding import Forwarding
from connectors.circulation.forwarding.report import as_csv, rows
from tests.connectors.circulation.forwarding.conftest import Place, reasons


def test_both_sides_of_a_conflict_are_shown_and_staff_close_it(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        place.off()
        place.clock.on(minutes=1)
        assert (await forwarding.perform(place.lend("d1", "c3"))).ok
        place.on()
        place.clock.on(minutes=1)
        assert await forwarding.turn() == 1
        conflict = forwarding.conflicts()[0]
        zone = forwarding.rules.zone
        shown = next(rows([conflict], "en", zone))
        assert (shown["machine"].split(",")[0], shown["system"], shown["explained"]) == ("ok", "no, CARD_EXPIRED", "The card has expired")
        assert (shown["card"], next(rows([conflict], "en", zone, masked=False))["card"]) == ("…c3", "c3")
        assert "CARD_EXPIRED" in as_csv([shown])
        assert await forwarding.close_conflict(conflict.number)
        assert not await forwarding.close_conflict(conflict.number)

    place.run(work)
    place.run(_nothing_is_open)


async def _nothing_is_open(forwarding: Forwarding) -> None:
    assert forwarding.conflicts() == []


def test_a_machine_that_was_alone_is_reported_where_it_does_not_fit(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        alone = place.lend("d1", "c3", no_block=True)
        assert (await forwarding.perform(alone)).reason == "CARD_EXPIRED"
        assert reasons(forwarding) == [("d1", "CARD_EXPIRED")]

    place.run(work)
