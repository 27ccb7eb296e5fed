"""What is counted, for Prometheus: messages by terminal, kind and outcome, how long they took, and who is connected."""

from __future__ import annotations

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


@dataclass
class Metrics:
    """The counters of one process."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self._found: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}
        self.messages = Counter("sip2_messages", "SIP2 messages answered", ("terminal", "message", "status"), registry=self.registry)
        self.seconds = Histogram(
            "sip2_seconds", "Seconds from a SIP2 line to its answer", ("message",), buckets=SECONDS, registry=self.registry
        )
        self.connections = Gauge("sip2_connections", "SIP2 connections that are open", registry=self.registry)
        self.closed = Counter("sip2_connections_closed", "SIP2 connections that we ended", ("why",), registry=self.registry)
        self.resends = Counter("sip2_resends", "SIP2 lines whose checksum was wrong", registry=self.registry)
        self.asked_messages = Counter(
            "ncip_messages", "NCIP and Netmusik messages answered", ("caller", "service", "status"), registry=self.registry
        )
        self.asked_seconds = Histogram(
            "ncip_seconds", "Seconds from an NCIP or Netmusik message to its answer", ("service",), buckets=SECONDS, registry=self.registry
        )
        self.journal = Gauge("circulation_journal_entries", "The number of the journal's last durable entry", registry=self.registry)

    def count(self, terminal: str, message: str, status: str, seconds: float) -> None:
        """One message was answered. The counters of each kind are looked up once."""
        key = (terminal, message, status)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = (self.messages.labels(*key), self.seconds.labels(message))
        found[0].inc()
        found[1].observe(seconds)

    def asked(self, caller: str, service: str, status: str, seconds: float) -> None:
        """One message was answered over HTTP. `caller` and `service` are names of ours: what was sent makes no counters of its own."""
        self.asked_messages.labels(caller, service, status).inc()
        self.asked_seconds.labels(service).observe(seconds)

    def page(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)
