"""What a machine said and the library system does not agree with comes out of the journal to staff: both sides, nobody's card, until it is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from connectors.circulation.domain import Checkin
from connectors.circulation.forwarding import Forwarding, keeping
from include.engine.alerts.standing import standing
from include.engine.delivery import State
from include.engine.ledger import conflicts
from include.engine.ledger.schema import conflict as table
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.forwarding.conftest import Place, place_of
from tests.connectors.circulation.lake.conftest import House


@pytest.fixture
def place(empty: House) -> Iterator[Place]:
    """The sidecar of these tests' library with a Koha behind it."""
    assert empty.kiosk is not None
    empty.kiosk.close()
    empty.kiosk = None
    clock = Clock()
    clock.now = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=8)
    with place_of("koha", empty.folder, empty.engine.keys, clock) as found:  # type: ignore[arg-type]
        found.library.patrons[2].restricted = True
        yield found


async def _a_blocked_card_borrows_while_koha_is_away(forwarding: Forwarding, place: Place) -> int:
    place.off()
    place.clock.on(minutes=1)
    assert (await forwarding.perform(place.lend("b1", "c2"))).ok
    assert (await forwarding.perform(place.lend("b2", "c1"))).ok
    place.on()
    place.clock.on(minutes=1)
    assert await forwarding.turn() == 2
    return forwarding.conflicts()[0].number


def test_both_sides_are_shown_until_staff_have_closed_it(place: Place, empty: House) -> None:
    ledger = empty.engine.ledger
    number = place.run(lambda forwarding: _a_blocked_card_borrows_while_koha_is_away(forwarding, place))
    done = empty.read()
    [one] = conflicts.standing(ledger, partner="havnsund")
    assert (one.number, one.terminal, one.branch, one.what, one.item) == (number, "k1", "main", "checkout", "b1")
    assert one.machine.startswith("ok, due ") and one.system == "no, CARD_BLOCKED"
    assert (one.reason, one.explained) == ("CARD_BLOCKED", "Kortet er spærret: spørg personalet")  # in the partner's language
    shown = str(replace(one, source=""))  # which is drawn anew for each journal, and may have these letters
    assert "c2" not in shown and "Two" not in shown
    assert done.facts["filtered"]["KIOSK_CONFLICT"] == 1
    [told] = [found for found in standing(empty.engine) if found.kind == "conflict"]
    assert told.key == ("conflict", f"havnsund {one.source} {number}") and told.page == "partners/havnsund#conflicts"
    place.run(lambda forwarding: forwarding.close_conflict(number))
    empty.read()
    assert conflicts.standing(ledger) == [] and [found for found in standing(empty.engine) if found.kind == "conflict"] == []


def test_what_waits_is_shown_until_the_library_system_was_told(place: Place, empty: House) -> None:
    ledger = empty.engine.ledger

    async def waits(forwarding: Forwarding) -> None:
        place.off()
        place.clock.on(minutes=1)
        assert (await forwarding.perform(place.lend("b1", "c1"))).ok
        place.clock.on(hours=1)
        assert await forwarding.turn() == 0

    async def told(forwarding: Forwarding) -> None:
        place.on()
        place.clock.on(minutes=1)
        assert await forwarding.turn() == 1

    place.run(waits)
    empty.read()
    [one] = conflicts.standing(ledger)
    assert (one.what, one.item, one.system, one.reason) == ("checkout", "b1", "no, AWAY", "WAITS_AWAY")
    assert one.explained.startswith("Endnu ikke overført")
    place.run(told)
    empty.read()
    assert conflicts.standing(ledger) == []


def test_a_checkpoint_brings_what_was_passed_over(place: Place, empty: House) -> None:
    ledger = empty.engine.ledger
    number = place.run(lambda forwarding: _a_blocked_card_borrows_while_koha_is_away(forwarding, place))
    empty.read()
    with ledger.writing(None) as tx:  # as in a house that read its journal before conflicts came into the ledger
        tx.execute(sa.delete(table))
    place.run(lambda forwarding: forwarding.checkpoint())
    empty.read()
    assert [one.number for one in conflicts.standing(ledger)] == [number]


def test_a_machine_that_was_alone_before_a_store_of_its_own(house: House) -> None:
    assert house.kiosk is not None
    alone = Checkin("k1", house.now, "main", "alone", no_block=True, item="X00001", returned=house.now)
    assert asyncio.run(house.kiosk.perform(alone)).reason == "ITEM_UNKNOWN"
    house.read()
    [one] = conflicts.standing(house.engine.ledger)
    assert (one.what, one.item, one.machine, one.system) == ("checkin", "X00001", "ok", "no, ITEM_UNKNOWN")
    keeping.close(house.folder, one.number)
    asyncio.run(keeping.take_closed(house.kiosk, house.folder))
    assert list(house.kiosk.store.rows("conflict")) == []
    house.read()
    assert conflicts.standing(house.engine.ledger) == []


@pytest.mark.parametrize("status", ["live", "test"])
def test_what_is_dealt_with_on_the_board_is_closed_in_the_sidecar_s_own_list(place: Place, empty: House, status: str) -> None:
    ledger = empty.engine.ledger
    empty.settle(status=status)
    number = place.run(lambda forwarding: _a_blocked_card_borrows_while_koha_is_away(forwarding, place))
    empty.read()
    [one] = conflicts.standing(ledger)
    assert conflicts.deal(ledger, "havnsund", [(one.source, number)], "kirsten") == 1
    empty.read()

    async def closing(forwarding: Forwarding) -> None:
        assert [one.number for one in forwarding.conflicts()] == [number]
        await keeping.take_closed(forwarding, empty.folder)
        assert forwarding.conflicts() == []

    place.run(closing)
    empty.read()
    assert [found.open_there for found in conflicts.done(ledger, "havnsund")] == [False]
    empty.read()
    assert list((empty.folder / keeping.CLOSED).iterdir()) == []


def test_a_sidecar_that_cannot_be_told_fails_no_delivery(house: House) -> None:
    assert house.kiosk is not None
    alone = Checkin("k1", house.now, "main", "alone", no_block=True, item="X00001", returned=house.now)
    asyncio.run(house.kiosk.perform(alone))
    house.read()
    [one] = conflicts.standing(house.engine.ledger)
    conflicts.deal(house.engine.ledger, "havnsund", [(one.source, one.number)], "kirsten")
    (house.folder / keeping.CLOSED).write_text("in the way")
    assert house.read().state == State.ACKNOWLEDGED
