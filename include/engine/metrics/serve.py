"""The figures for Prometheus, over HTTP, and for OpenTelemetry, pushed over OTLP where the environment says to where.

A scrape reads the ledger at most every `KEPT` seconds, however many ask, and never for more than one part in `SHARE` of the time: the figures
of a million deliveries take seconds. OpenTelemetry's own variables decide about the push
(`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_METRIC_EXPORT_INTERVAL`, ...); its metrics have dots for underscores.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from wsgiref.simple_server import WSGIServer

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from include.engine.ledger import Ledger
from include.engine.metrics.read import Measure, read

KEPT = 15.0
"""Seconds for which figures are good enough."""
SHARE = 20
"""Figures that took long to read are good enough for so many times as long."""


class Figures(Collector):
    """The measures, read when somebody asks."""

    def __init__(self, ledger: Ledger, kept: float = KEPT) -> None:
        self._ledger, self._kept = ledger, kept
        self._lock, self._until = threading.Lock(), -1e9
        self._known: dict[str, Measure] = {}

    def now(self) -> Mapping[str, Measure]:
        """All of them, by name."""
        with self._lock:
            began = time.monotonic()
            if began > self._until:
                self._known = {one.name: one for one in read(self._ledger)}
                done = time.monotonic()
                self._until = done + max(self._kept, SHARE * (done - began))
            return self._known

    def collect(self) -> Iterator[Metric]:
        """As prometheus_client wants them."""
        for one in self.now().values():
            if one.kind == "counter":
                found: CounterMetricFamily | GaugeMetricFamily = CounterMetricFamily(
                    one.name.removesuffix("_total"), one.help, labels=one.labels
                )
            else:
                found = GaugeMetricFamily(one.name, one.help, labels=one.labels)
            for labels, value in sorted(one.values.items()):
                found.add_metric(labels, value)
            yield found


def serve(ledger: Ledger, host: str, port: int) -> tuple[WSGIServer, threading.Thread]:
    """Answer Prometheus on a port (0: any free one), in a thread."""
    registry = CollectorRegistry()
    registry.register(Figures(ledger))
    return start_http_server(port, host, registry)


def push(ledger: Ledger, environment: Mapping[str, str] = os.environ) -> MeterProvider | None:
    """Push to an OTLP receiver from now on, where one is named; `shutdown()` of what is returned sends a last time and ends it."""
    if not any(environment.get(name) for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")):
        return None
    figures = Figures(ledger)
    provider = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], Resource.create({"service.name": "bindery"}))
    meter = provider.get_meter("bindery")
    for one in figures.now().values():
        name = one.name.removesuffix("_total").replace("_", ".", 1)
        make = meter.create_observable_counter if one.kind == "counter" else meter.create_observable_gauge
        make(name, [_observed(figures, one.name)], one.unit, one.help)
    return provider


def _observed(figures: Figures, name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_: CallbackOptions) -> Iterable[Observation]:
        one = figures.now()[name]
        return [Observation(value, dict(zip(one.labels, labels, strict=True))) for labels, value in one.values.items()]

    return observe
