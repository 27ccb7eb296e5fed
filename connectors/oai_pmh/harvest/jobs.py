"""What a delivery of the flow is to fetch: the next window of each series, all identifiers for a comparison, or what a person has asked for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from connectors.oai_pmh.harvest.compare import compare
from connectors.oai_pmh.harvest.connection import address
from connectors.oai_pmh.harvest.fetch import Harvest, client_of, floored, since_of
from connectors.oai_pmh.harvest.identity import Identity, identify
from connectors.oai_pmh.harvest.noted import noted
from connectors.oai_pmh.harvest.progress import rebuilt
from connectors.oai_pmh.harvest.waiting import Waiting
from connectors.oai_pmh.settings import OaiHarvest
from include.engine.errors import MissingCredential
from include.engine.inbound.pulled import Pull
from include.engine.ledger import windows
from include.engine.ledger.leases import Lease, lease
from include.engine.ledger.windows import Window

LEASE_SECONDS = 90.0
"""A harvest that says nothing for so long has lost the repository to the next one; where a repository may be silent for longer, for that long more."""
PATIENCE = 30.0
"""Seconds that a harvest waits for another one of the same repository. Then its task ends, and is tried again later: it would hold a worker."""
_RENEW_EVERY = 10.0


@dataclass
class _Held:
    """The lease on a repository, renewed from time to time while it is in use."""

    lease: Lease
    clock: Callable[[], float]
    renewed: float = 0.0

    def alive(self) -> None:
        if self.clock() - self.renewed > _RENEW_EVERY:
            self.lease.renew()
            self.renewed = self.clock()


def fetch(pull: Pull) -> None:
    """Fetch a delivery of `oai_harvest`. Of several at one repository one goes, the others wait (and are tried again later, if it takes long)."""
    import time

    flow = pull.flow
    assert isinstance(flow, OaiHarvest)
    url = _url(pull, flow)
    name = f"oai:{sha256(url.encode()).hexdigest()[:16]}"
    wait = min(PATIENCE, flow.polite.longest_wait.total_seconds())
    seconds = LEASE_SECONDS + flow.polite.timeout.total_seconds()
    with lease(pull.engine.ledger, name, holder=pull.delivery.id, seconds=seconds, wait=wait, again=True) as got:
        held = _Held(got, time.monotonic, time.monotonic())
        with client_of(flow, pull.engine.credentials, Waiting(flow.polite, held.alive)) as client:
            _work(pull, Harvest(pull.pages, flow, client, identify(client), rebuilt(pull.pages.kept(), flow.series)))


def _work(pull: Pull, harvest: Harvest) -> None:
    ask: dict[str, Any] = pull.delivery.facts.get("ask", {})
    if "identifiers" in ask:
        series = harvest.flow.series[0]
        window = windows.begin(pull.engine.ledger, pull.delivery, series, "reload", harvest.identity.at, None)
        progress = harvest.progress[series]
        progress.way = "asked"
        with noted(pull, window, progress):
            harvest.one_by_one(progress, ask["identifiers"])
        pull.pages.lead(harvest.summary("reload"))
    elif pull.delivery.facts.get("moment") == "compare":
        pull.pages.lead(harvest.summary("compare", compared=compare(pull, harvest)))
    else:
        kind = "reload" if ask else "window"
        for series in harvest.flow.series:
            begin, until = _asked_for(ask, harvest) if ask else next_window(pull, harvest.flow, series, harvest.identity)
            window = windows.begin(pull.engine.ledger, pull.delivery, series, kind, begin, until)
            if window.state != windows.FETCHED:
                with noted(pull, window, harvest.progress[series]):
                    harvest.window(window)
        pull.pages.lead(harvest.summary(kind))


def next_window(pull: Pull, flow: OaiHarvest, series: str, identity: Identity) -> tuple[datetime | None, datetime]:
    """From where everything is covered, and `overlap` before it, to the repository's present."""
    known = windows.find(pull.engine.ledger, pull.partner.id, pull.delivery.flow, series=series, status=pull.delivery.status)
    until = floored(identity.at, identity)
    assert until is not None
    covered = windows.covered_until(one for one in known if one.kind != "compare" and _was_past(one, until))
    begin = floored(covered - flow.overlap, identity) if covered else None
    since = since_of(flow)
    if since is not None and (begin is None or begin < since):
        begin = since
    return (min(begin, until) if begin else None), until


def _was_past(window: Window, present: datetime) -> bool:
    """Whether what the window says that it covers had happened when it was fetched. It had not where the repository's clock was ahead then (its
    present lies before the window's end), nor in a window of a person's that reached into the future: what came afterwards is not in it."""
    end = window.until_at
    asked_ahead = window.kind == "reload" and end is not None and window.fetched_at is not None and end > window.fetched_at
    return end is None or (end <= present and not asked_ahead)


def _asked_for(ask: dict[str, Any], harvest: Harvest) -> tuple[datetime | None, datetime | None]:
    begin, until = (datetime.fromisoformat(ask[name]).astimezone(UTC) if ask.get(name) else None for name in ("from", "until"))
    return begin or harvest.since, until


def _url(pull: Pull, flow: OaiHarvest) -> str:
    connection = None
    if flow.connection:
        with suppress(MissingCredential):  # said better where it is used
            connection = pull.engine.credentials.get(flow.connection)
    return address(flow.url, connection) if connection or not flow.url.startswith("/") else flow.url
