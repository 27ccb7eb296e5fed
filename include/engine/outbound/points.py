"""The failpoints of a delivery that leaves the house, in the order of its life. What they are for: include/engine/failpoints.py."""

from __future__ import annotations

from collections.abc import Mapping

POINTS: Mapping[str, str] = {
    "select.claimed": "a try has its token, nothing else",
    "select.batch": "some of the records are selected and judged",
    "select.written": "everything is selected, the ledger does not know it",
    "select.recorded": "staged, and known",
    "render.claimed": "a try has its token, nothing is rendered",
    "render.part": "a part is durable, the ledger does not know it",
    "render.written": "every part is durable, the ledger knows none",
    "render.recorded": "gated, and known",
    "send.before": "a try has its token, nothing has left",
    "send.begun": "the ledger knows that a part may leave, it has not",
    "send.part": "the receiver has a part, the ledger does not know it",
    "send.sent": "the receiver has every part, the ledger knows of each, the delivery is not published",
    "send.recorded": "published, the task does not know it",
    "confirm.before": "a try has its token, nobody is told",
    "confirm.settled": "what was sent is settled in the lake, the ledger does not know it",
    "confirm.receipt": "the receipt is out, the sealed files are there",
    "confirm.purged": "the sealed files are gone, the ledger does not know it",
}
"""Each point, and what is done and what is not when a process is there."""
