"""One person taken out of everything: lake and its history, BI snapshots, landing, quarantine, receipts, outbound copies."""

from include.engine.erasure.certificate import Certificate
from include.engine.erasure.erase import ask, erase

__all__ = ["Certificate", "ask", "erase"]
