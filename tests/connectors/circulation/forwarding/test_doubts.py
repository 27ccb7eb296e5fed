"""A "no" at the machine that was none: it is looked up once the library system is there, and staff hear what it has done after all."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.circulation.backend import Away
from connectors.circulation.forwarding import Forwarding
from tests.connectors.circulation.forwarding.conftest import Place, reasons


def test_what_was_done_though_its_machine_was_told_no_is_told_to_staff_with_both_sides(place: Place) -> None:
    place.policy = place.policy.model_copy(update={"services": frozenset()})

    async def work(forwarding: Forwarding) -> None:
        place.goes_away_after_the_work()
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
        await place.turn(forwarding, minutes=1)
        assert len(place.faults.asked) == asked and len(forwarding.conflicts()) == 1  # once

    place.run(work)
    place.run(after)


def test_what_cannot_be_looked_up_holds_up_no_other_and_goes_to_staff(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.policy = place.policy.model_copy(update={"services": frozenset()})

    async def work(forwarding: Forwarding) -> None:
        for item, card in (("b1", "c1"), ("b2", "c2")):
            place.goes_away_after_the_work()
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
            await place.turn(forwarding, minutes=1)
            assert reasons(forwarding) == [("b2", "DONE_AFTER_ALL")] and forwarding.breaker.state == "closed"
        await place.turn(forwarding, minutes=10)
        assert reasons(forwarding)[1:] == [("b1", "ILS_FAILS")] and forwarding.state.doubts == {}

    place.run(work)


def test_a_machine_that_asks_again_gets_its_answer_and_staff_hear_nothing(place: Place) -> None:
    place.policy = place.policy.model_copy(update={"services": frozenset()})

    async def work(forwarding: Forwarding) -> None:
        request = place.lend("b1")
        place.goes_away_after_the_work()
        for _ in range(2):
            with pytest.raises(Away):
                await forwarding.perform(request)
        assert len(forwarding.state.doubts) == 1
        place.faults.left.clear()
        forwarding.breaker.answered()
        assert (await forwarding.perform(request)).ok
        await place.turn(forwarding, minutes=1)
        assert forwarding.conflicts() == [] and forwarding.state.doubts == {}

    place.run(work)
    assert place.library.lent == [("c1", "b1")]


def test_what_was_refused_and_not_done_is_no_conflict(place: Place) -> None:
    place.policy = place.policy.model_copy(update={"services": frozenset()})

    async def work(forwarding: Forwarding) -> None:
        place.faults.set("change_lost")
        with pytest.raises(Away):
            await forwarding.perform(place.lend("b1"))
        await place.turn(forwarding, minutes=1)
        assert forwarding.conflicts() == [] and forwarding.state.doubts == {}

    place.run(work)
