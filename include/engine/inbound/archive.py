"""The archive of an inbox: where a source lies once it is acknowledged, as the partner wrote it, and when it goes from there."""

from __future__ import annotations

import logging
import re
from datetime import datetime, timedelta

from include.engine import clock
from include.engine.engine import Engine
from include.engine.errors import BinderyError
from include.engine.ledger import deliveries
from include.engine.partner.settings import InboxFlow, Partner
from include.engine.storage.uri import parse

log = logging.getLogger("bindery")

FOLDER = "archive"
_OURS = re.compile(r"(?P<month>\d{4}/\d{2})/(?P<id>[0-9a-f]{8})_[^/]+")


def place(path: str, delivery_id: str, at: datetime) -> str:
    """Where a source goes: `archive/<year>/<month>/<the end of the delivery's id>_<its own name>`, as much of the name as names may have."""
    name = path.rpartition("/")[2].encode()[-240:].decode(errors="ignore")
    return f"{FOLDER}/{at:%Y/%m}/{delivery_id[-8:]}_{name}"


def clear(engine: Engine, partner: Partner, period: timedelta) -> int:
    """Delete what lies in the archives of the partner's inboxes for longer than `period` after receipt; returns how many files.

    Only files that we have put there. An inbox that does not answer, or does not let us, is done another night.
    """
    flows = [flow for flow in partner.flows.values() if isinstance(flow, InboxFlow)]
    inboxes = {flow.inbox for flow in flows if any(flow.after_for(spec) != "leave" for spec in flow.deliveries)}
    return sum(_clear(engine, partner, inbox, clock.now() - period) for inbox in sorted(inboxes))


def _clear(engine: Engine, partner: Partner, inbox: str, before: datetime) -> int:
    gone = 0
    try:
        with engine.store(str(parse(inbox).child(FOLDER))) as store:
            found = [(file.path, match) for file in store.list(recursive=True) if (match := _OURS.fullmatch(file.path))]
            old = [(path, match["id"]) for path, match in found if match["month"] <= f"{before:%Y/%m}"]
            if not old:
                return 0
            young = {one.id[-8:] for one in deliveries.find(engine.ledger, partner=partner.id, since=before, limit=10_000_000)}
            for path, id in old:
                if id not in young:
                    store.delete(path)
                    gone += 1
    except BinderyError as trouble:
        if trouble.code != "INBOX_MISSING":  # nothing was ever archived there
            log.warning("the archive of %s/%s was not cleared: %s", partner.id, inbox, trouble)
    return gone
