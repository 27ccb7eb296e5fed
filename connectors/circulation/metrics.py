"""What is counted, for Prometheus: messages by terminal, kind and outcome, how long they took, and who is connected."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class _Tally(Collector):
    """Messages and their seconds, counted in one thread: a tenth of what prometheus_client's own counters cost, which may be used in many."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str], list[float]] = {}
        """By terminal, message and status: how many took so long (SECONDS, and longer), and their seconds together."""

    def count(self, key: tuple[str, str, str], seconds: float) -> None:
        """One message of (terminal, message, status)."""
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = [0.0] * (len(SECONDS) + 2)
        row[bisect_left(SECONDS, seconds)] += 1
        row[-1] += seconds

    def collect(self) -> Iterator[Metric]:
        messages = CounterMetricFamily("sip2_messages", "SIP2 messages answered", labels=("terminal", "message", "status"))
        rows = list(self._rows.items())
        by_message: dict[str, list[float]] = {}
        for key, row in rows:
            messages.add_metric(key, sum(row[:-1]))
            by_message[key[1]] = [one + other for one, other in zip(by_message.get(key[1], [0.0] * len(row)), row, strict=True)]
        yield messages
        seconds = HistogramMetricFamily("sip2_seconds", "Seconds from a SIP2 line to its answer", labels=("message",))
        for message, (*counts, together) in by_message.items():
            buckets = zip((*map(str, map(float, SECONDS)), "+Inf"), accumulate(counts), strict=True)
            seconds.add_metric((message,), list(buckets), together)
        yield seconds


@dataclass
class Metrics:
    """The counters of one process."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self._tally = _Tally()
        self.registry.register(self._tally)
        self.connections = Gauge("sip2_connections", "SIP2 connections that are open", registry=self.registry)
        self.closed = Counter("sip2_connections_closed", "SIP2 connections that we ended", ("why",), registry=self.registry)
        self.webs_closed = Counter("http_connections_closed", "HTTP connections that we ended", ("port", "why"), registry=self.registry)
        self.resends = Counter("sip2_resends", "SIP2 lines whose checksum was wrong", registry=self.registry)
        self.asked_messages = Counter(
            "ncip_messages", "NCIP and Netmusik messages answered", ("caller", "service", "status"), registry=self.registry
        )
        self.asked_seconds = Histogram(
            "ncip_seconds", "Seconds from an NCIP or Netmusik message to its answer", ("service",), buckets=SECONDS, registry=self.registry
        )
        self.journal = Gauge("circulation_journal_entries", "The number of the journal's last entry", registry=self.registry)

    def count(self, terminal: str, message: str, status: str, seconds: float) -> None:
        """One message was answered."""
        self._tally.count((terminal, message, status), seconds)

    def asked(self, caller: str, service: str, status: str, seconds: float) -> None:
        """One message was answered over HTTP. `caller` and `service` are names of ours: what was sent makes no counters of its own."""
        self.asked_messages.labels(caller, service, status).inc()
        self.asked_seconds.labels(service).observe(seconds)

    def page(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)
