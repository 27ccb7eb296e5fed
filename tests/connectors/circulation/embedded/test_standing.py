"""Conflicts of the embedded back end stand until staff close them, though the journal's segment with them is retired."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from connectors.circulation.domain import Checkin, Checkout, Credentials
from connectors.circulation.embedded.backend import Embedded, opened
from connectors.circulation.embedded.rules import Rules
from connectors.circulation.forwarding.report import rows
from connectors.circulation.forwarding.resume import resumed
from connectors.circulation.forwarding.standing import standing
from connectors.circulation.journal.retiring import retire
from include.engine import clock as real
from include.engine.crypto.keys import MemoryKeyStore
from tests.connectors.circulation.conftest import Clock, take_over


def test_conflicts_of_a_retired_segment_are_listed_as_they_were_and_closed_ones_are_not(
    library: Embedded, home: Path, keys: MemoryKeyStore, rules: Rules, clock: Clock
) -> None:
    for key, item in (("k1", "b1"), ("k2", "b2")):  # the card of c3 has expired
        request = Checkout("kiosk1", clock(), "main", key, no_block=True, patron=Credentials("c3"), item=item)
        assert asyncio.run(library.perform(request)).ok
    asyncio.run(library.perform(Checkin("kiosk1", clock(), "main", "k3", no_block=True, item="nobody knows it")))
    before = list(rows(standing(home, keys).conflicts.values(), "en", ZoneInfo(rules.timezone), masked=False))
    assert [(one["number"], one["what"], one["card"], one["machine"], one["system"]) for one in before] == [
        ("1", "checkout", "c3", "ok", "ok"), ("2", "checkout", "c3", "ok", "ok"), ("3", "checkin", "", "ok", "no, ITEM_UNKNOWN")
    ]  # fmt: skip
    library.close()
    again = opened(home, keys, rules, now=clock)  # which begins a segment of its own
    take_over(library, again)
    assert (
        asyncio.run(library.perform(Checkout("kiosk1", clock(), "main", "k4", no_block=True, patron=Credentials("nobody"), item="d1"))).ok
        is False
    )
    assert asyncio.run(library.close_conflict(2))
    library.commit()
    gone = retire(home / "journal", keys, until=3, kept=timedelta(days=-1), now=real.now, subject=home.name)
    assert len(gone) == 1 and list(resumed(home, keys).conflicts) == [4]
    after = list(rows(standing(home, keys).conflicts.values(), "en", ZoneInfo(rules.timezone), masked=False))
    assert after[:2] == [before[0], before[2]] and [one["number"] for one in after] == ["1", "3", "4"]
