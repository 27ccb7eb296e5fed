"""The journal is the memory of store and forward: what waits, what was done and what is under way survives the process; names and PINs are not in it."""

from __future__ import annotations

from datetime import timedelta

from connectors.circulation.forwarding import Forwarding
from connectors.circulation.forwarding.state import State
from connectors.circulation.journal import read
from connectors.circulation.lake.events import Event, events
from tests.connectors.circulation.forwarding.conftest import Place
from tests.house import stands_in


def test_what_waits_survives_a_restart_and_is_told_once(place: Place) -> None:
    async def first(forwarding: Forwarding) -> None:
        place.off()
        assert (await forwarding.perform(place.lend("b1", key="same"))).ok
        again = await forwarding.perform(place.lend("b1", key="same"))
        assert (again.ok, again.again) == (True, True)

    async def second(forwarding: Forwarding) -> None:
        assert len(forwarding.state.waiting) == 1
        assert await forwarding.turn() == 1
        assert (await forwarding.perform(place.lend("b1", key="same"))).again

    place.run(first)
    place.on()
    place.run(second)
    place.run(_nothing_waits)
    assert place.library.lent == [("c1", "b1")]


async def _nothing_waits(forwarding: Forwarding) -> None:
    assert await forwarding.turn() == 0


def test_a_live_request_that_was_cut_off_by_a_kill_is_looked_up_when_it_is_repeated(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        request = place.lend("b1", key="cut")
        await forwarding._journaled({"kind": "asking", "key": "cut"})
        await forwarding.remote.perform(request)  # and here the process ends: nobody was answered

    async def after(forwarding: Forwarding) -> None:
        assert (await forwarding.perform(place.lend("b1", key="cut"))).ok

    place.run(work)
    place.run(after)
    assert place.library.lent == [("c1", "b1")]


def test_a_checkpoint_holds_everything(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        assert (await forwarding.perform(place.lend("b1", key="one"))).ok
        place.off()
        await forwarding.perform(place.lend("b2"))
        await forwarding.checkpoint()
        state = State()
        state.restore(forwarding.state.snapshot())
        assert state.snapshot() == forwarding.state.snapshot()
        assert len(state.waiting) == 1 and "one" in state.done

    async def after(forwarding: Forwarding) -> None:
        assert len(forwarding.state.waiting) == 1
        assert (await forwarding.perform(place.lend("b1", key="one"))).again

    place.run(work)
    place.run(after)
    kinds = [entry.data["kind"] for entry in read(place.home / "journal", place.keys)]
    assert kinds == ["asking", "checkout", "asking", "accepted", "forwarding", "forwarding", "forwarding"]


def test_no_name_and_no_pin_is_in_the_journal(place: Place) -> None:
    request = place.lend("b1")
    place.do(request, place.lend("b2", key=""))
    text = str([entry.data for entry in read(place.home / "journal", place.keys)])
    assert "Reader" not in text and not stands_in("1234", text)


def test_the_lake_hears_of_loans_once_the_library_system_has_them(place: Place) -> None:
    async def work(forwarding: Forwarding) -> None:
        await forwarding.perform(place.lend("b1"))
        place.off()
        place.clock.on(minutes=1)
        for request in (place.lend("b2"), place.lend("d1", "c3"), place.back("b1")):
            await forwarding.perform(request)
        place.on()
        place.clock.on(hours=1)
        await forwarding.turn()

    place.run(work)
    found = [one for one in events(read(place.home / "journal", place.keys), place.library.zone) if isinstance(one, Event)]
    assert [(one.event, one.item, one.branch) for one in found] == [("loan", "b1", "main"), ("loan", "b2", "main")]
    assert len({one.patron for one in found}) == 1 and found[1].loaned_at < place.clock() - timedelta(minutes=30)
