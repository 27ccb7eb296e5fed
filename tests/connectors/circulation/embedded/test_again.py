"""A machine that did not get its answer asks again, and is answered as the first time."""

from __future__ import annotations

import asyncio

import pytest

from connectors.circulation.domain import Credentials, Reserve
from connectors.circulation.embedded.backend import Embedded
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.running import Raw, running

NOW = "20261120    130000"


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
