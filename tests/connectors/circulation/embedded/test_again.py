"""A machine that did not get its answer asks again, and is answered as the first time."""

from __future__ import annotations

import asyncio

import pytest

from connectors.circulation.domain import Credentials, Reserve
from connectors.circulation.embedded.backend import Embedded
from connectors.circulation.profile import Profile
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.running import Raw, running

NOW = "20261120    130000"
PAID = f"37{NOW}0100DKKBV1.00|AOlindeby|AAc1|AC|"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f"09N{NOW}{NOW}APmain|AOlindeby|ABb1|AC|", "|CTmain|CV01|CYp2|DAReader Two|"),
        (f"15+{NOW}BSmain|AOlindeby|AAc1|ABb1|AC|", "BR2|BSmain|"),
    ],
)
def test_a_return_and_a_hold_that_are_asked_again_are_answered_alike(library: Embedded, clock: Clock, line: str, says: str) -> None:
    asyncio.run(library.perform(Reserve("kiosk1", clock(), "main", patron=Credentials("c2"), title="t1", pickup="main")))
    clock.on(minutes=1)
    with running(library, now=clock) as server, Raw(server.port) as kiosk:
        kiosk.log_in()
        first = kiosk.ask(line)
    with running(library, now=clock) as server, Raw(server.port) as kiosk:
        kiosk.log_in()
        assert says in first
        assert kiosk.ask(line) == first


def test_a_payment_that_is_asked_again_is_accepted_again_though_nothing_is_owed_any_more(library: Embedded, clock: Clock) -> None:
    library.store.fill("fee", [{"fee": "f1", "patron": "p1", "outstanding": 100}])
    exact = Profile.model_validate({"policy": {"overpayment": False}})
    answers = []
    for asked in (PAID, PAID, PAID.replace("130000", "130001")):  # the last is another payment
        with running(library, now=clock, profile=exact) as server, Raw(server.port) as kiosk:
            kiosk.log_in()
            answers.append(kiosk.ask(asked)[:3])
    assert answers == ["38Y", "38Y", "38N"]
