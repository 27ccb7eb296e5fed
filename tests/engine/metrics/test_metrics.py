"""Prometheus and an OpenTelemetry receiver get the ledger's figures, over real sockets."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from include.engine.delivery import State
from include.engine.engine import ROOT
from include.engine.ledger import Ledger
from include.engine.metrics import serve as serving
from include.engine.metrics.read import Measure, read
from include.engine.metrics.serve import push, serve
from include.engine.partner.settings import InboxFlow
from tests.engine.inbound import paper
from tests.engine.inbound.paper import GOOD, PARTNER
from tests.house import House

EXPECTED = {
    ("bindery_deliveries", "lindeby", "paper_import", "acknowledged"): 1,
    ("bindery_deliveries", "lindeby", "paper_import", "blocked"): 1,
    ("bindery_records_total", "lindeby", "paper_import", "published"): 5,
    ("bindery_records_total", "lindeby", "paper_import", "quarantined"): 1,
    ("bindery_records_total", "lindeby", "paper_import", "filtered"): 0,
    ("bindery_records_total", "lindeby", "paper_import", "held"): 0,
    ("bindery_inbox_failures", "lindeby", "paper_import"): 0,
}


@pytest.fixture
def house(tmp_path: Path, ledger: Ledger) -> House:
    made = House.build(tmp_path, ledger, paper, {"paper_import": InboxFlow}, "lindeby")
    made.write(PARTNER)
    assert made.deliver("hold_1.txt", GOOD + "torn\n").state == State.ACKNOWLEDGED
    assert made.deliver("hold_2.txt", "").state == State.BLOCKED
    return made


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[ExportMetricsServiceRequest]]]:
    """An OTLP receiver on a free port."""
    got: list[ExportMetricsServiceRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            got.append(ExportMetricsServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    thread.join()
    server.server_close()


def test_prometheus_gets_every_partner_and_flow(house: House) -> None:
    server, thread = serve(house.engine.ledger, "127.0.0.1", 0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics", timeout=20) as answer:
            text = answer.read().decode()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for one in text_string_to_metric_families(text)
        for sample in one.samples
    }
    assert {(key[0], *sorted(key[1:])): value for key, value in EXPECTED.items()}.items() <= found.items()
    [(_, age)] = [(key, value) for key, value in found.items() if key[0] == "bindery_quarantine_age_seconds"]
    [(_, aside)] = [(key, value) for key, value in found.items() if key[0] == "bindery_quarantine_records"]
    assert aside == 1 and age >= 0
    assert found["bindery_last_success_timestamp_seconds", "lindeby", "paper_import"] > 1_700_000_000
    assert {key[1] for key in found if key[0] == "bindery_contract_failures_total"} == {"holding", "ils_holding"}


def test_an_opentelemetry_receiver_is_sent_the_same(
    house: House, receiver: tuple[str, list[ExportMetricsServiceRequest]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, got = receiver
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    pushing = push(house.engine.ledger)
    assert pushing is not None
    pushing.force_flush()
    pushing.shutdown()
    metrics = [one for request in got for resource in request.resource_metrics for scope in resource.scope_metrics for one in scope.metrics]
    points = {
        (one.name, *sorted(label.value.string_value for label in point.attributes)): point.as_double or point.as_int
        for one in metrics
        for point in (one.sum.data_points if one.HasField("sum") else one.gauge.data_points)
    }
    assert points["bindery.records", "lindeby", "paper_import", "published"] == 5
    assert points["bindery.deliveries", "acknowledged", "lindeby", "paper_import"] == 1
    assert next(one for one in metrics if one.name == "bindery.records").sum.is_monotonic
    assert all(resource.resource.attributes[0].key for request in got for resource in request.resource_metrics)


def test_nothing_is_pushed_where_no_receiver_is_named(house: House) -> None:
    assert push(house.engine.ledger, {}) is None


def test_an_empty_ledger_has_every_metric_and_no_value(ledger: Ledger) -> None:
    assert all(one.values == {} for one in read(ledger)) and len(read(ledger)) == 9


def test_the_dashboard_and_the_docs_name_what_is_measured(ledger: Ledger) -> None:
    known = {one.name for one in read(ledger)}
    dashboard = json.loads((ROOT / "docs" / "production" / "grafana.json").read_text())
    asked = set(re.findall(r"bindery_\w+", " ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])))
    assert len(asked) > 5 and asked <= known
    assert set(re.findall(r"`(bindery_\w+)`", (ROOT / "docs" / "metrics.md").read_text())) == known


def test_figures_that_take_long_to_read_are_read_less_often(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    now, reads = [0.0], []

    def slow(_: Ledger) -> list[Measure]:
        reads.append(now[0])
        now[0] += 10
        return []

    monkeypatch.setattr(serving, "read", slow)
    monkeypatch.setattr(serving, "time", SimpleNamespace(monotonic=lambda: now[0]))
    figures = serving.Figures(ledger)
    for at in (0.0, 26.0, 200.0, 211.0):
        now[0] = max(now[0], at)
        figures.now()
    assert reads == [0.0, 211.0]
