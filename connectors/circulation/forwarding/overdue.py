"""What has waited so long that staff hear of it, while it goes on being tried: a conflict that closes by itself once the transaction is settled.

Of a library system that is away staff hear once, by what has waited longest; of one that answers and fails at some transactions, by each of these.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from connectors.circulation.forwarding.policy import Policy
from connectors.circulation.forwarding.report import FAILS
from connectors.circulation.forwarding.state import Json, State, Waiting

log = logging.getLogger("bindery.circulation")
AWAY, FAILING = "WAITS_AWAY", "WAITS_FAILING"


async def tell(state: State, there: bool, journaled: Callable[[Json], Awaitable[int]], policy: Policy, now: Callable[[], datetime]) -> None:
    """Report what waits too long and was not reported yet. `there`: the library system answers."""
    limit = now() - timedelta(minutes=policy.tell_minutes)
    for waiting in overdue(state, policy.tries, limit):
        failing = there and waiting.tries > 0
        found = {"ok": False, "reason": FAILS if failing else "AWAY"}
        log.warning(
            "transaction %d waits since %s, of %d that wait: %s", waiting.number, waiting.at, len(state.waiting), waiting.why or "no answer"
        )
        await journaled({
            "kind": "waits", "of": waiting.kind, "asked": waiting.asked, "waits": waiting.number,
            "report": {"reason": FAILING if failing else AWAY, "said": waiting.said, "found": found},
        })  # fmt: skip


def overdue(state: State, tries: int, limit: datetime) -> list[Waiting]:
    """What was accepted before `limit`, and is the oldest that waits or has failed so often; without what staff have heard of."""
    oldest = next(iter(state.waiting.values()), None)
    found = [one for one in state.waiting.values() if not one.reported and (one is oldest or one.tries >= tries)]
    return [one for one in found if datetime.fromisoformat(one.at) <= limit]
