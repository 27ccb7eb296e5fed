"""What the sidecar says of its kiosks, asked at BINDERY_CIRCULATION: the address of its /health and /metrics, or those of several."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

SETTING = "BINDERY_CIRCULATION"
PATIENCE, KEPT = 1.0, 15.0
"""Seconds: how long it is waited for, and how long an answer is shown before it is asked again."""
LARGEST = 5_000_000


@dataclass(frozen=True)
class Kiosks:
    """`reachable`: the sidecar answers; `online`: its library system does. Terminals are those that have sent anything since it began."""

    address: str
    reachable: bool
    online: bool = False
    connections: int = 0
    terminals: int = 0
    answers: int = 0
    refused: int = 0
    resends: int = 0


_lock = threading.Lock()
_known: dict[str, tuple[float, Kiosks]] = {}


def kiosks() -> list[Kiosks]:
    """What each sidecar says now. A sidecar that does not answer delays a page by a second, every 15."""
    return [_lately(address.rstrip("/")) for address in os.environ.get(SETTING, "").split()]


def _lately(address: str) -> Kiosks:
    with _lock:
        asked = _known.get(address)
        if asked is None or time.monotonic() - asked[0] > KEPT:
            asked = _known[address] = time.monotonic(), _ask(address)
    return asked[1]


def _ask(address: str) -> Kiosks:
    try:
        with httpx.Client(base_url=address, timeout=PATIENCE, trust_env=False) as client:
            health = client.get("/health").json()
            text = client.get("/metrics").text[:LARGEST]
        found = {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        messages = {key[1:]: value for key, value in found.items() if key[0] == "sip2_messages_total"}
        return Kiosks(
            address,
            True,
            bool(health["online"]),
            int(health["connections"]),
            len({labels[0] for labels in messages}),
            int(sum(messages.values())),
            int(sum(value for labels, value in messages.items() if "refused" in labels)),
            int(found.get(("sip2_resends_total",), 0)),
        )
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return Kiosks(address, False)
