"""What an outcome changed, as rows of the embedded store: the lake reads loans and renewals out of the journal by them (lake/events.py).

A return is not among them: the library system does not tell which loan it ended, and the lake hears of it from the library system itself.
"""

from __future__ import annotations

from datetime import datetime

from connectors.circulation.admission import Admission
from connectors.circulation.domain import Checkout, Outcome, Renew, Request
from connectors.circulation.forwarding.state import Json


def changes_of(request: Request | Admission, outcome: Outcome, now: datetime) -> Json:
    """`changes` and `patron` of an entry. A renewal's loan is known by its item alone here, so only new loans are told of."""
    if not outcome.ok or outcome.patron is None or outcome.due is None or outcome.renewed or isinstance(request, Renew):
        return {"changes": []}
    if not isinstance(request, Checkout) or request.undo or outcome.item is None:
        return {"changes": []}
    at = request.at if request.no_block else now
    loan = {
        "item": outcome.item.item or request.item, "patron": outcome.patron.patron, "loaned_at": int(at.timestamp()),
        "due": int(outcome.due.timestamp()), "renewals": 0,
    }  # fmt: skip
    return {"changes": [["loan", loan]], "patron": outcome.patron.patron}
