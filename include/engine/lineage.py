"""A delivery as OpenLineage events: where it came from, which tables of the lake it changed, and what left the house. docs/metrics.md

Sent when the delivery ends, by OpenLineage's own client and settings (`OPENLINEAGE_URL`, `OPENLINEAGE_CONFIG`, or
`OPENLINEAGE__TRANSPORT__TYPE=file` and the like); where none is set, nothing is sent. The run's id is made from the delivery's, so an
event that is sent twice is one event. Names of files and tables are in it, and counts; never a record.

Source: OpenLineage 2-0-2, RunEvent; dataset names follow its naming for file systems and (lake) tables.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlsplit

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import RunFacet, error_message_run, output_statistics_output_dataset

from include.engine.delivery import FINISHED, Delivery, State
from include.engine.engine import Engine
from include.engine.ledger import deliveries, manifests, parts

log = logging.getLogger("bindery.lineage")

NAMESPACE = "bindery"
PRODUCER = "urn:bindery:engine"
_RUNS = uuid.UUID("6c1f4e0a-54d5-5d0c-8a6e-6a7b3ad1c1ce")
"""Ours alone: a delivery's id below it is its run's."""


def wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a receiver is named."""
    off = environment.get("OPENLINEAGE_DISABLED", "").lower() == "true"
    named = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE__TRANSPORT__TYPE")
    return not off and any(environment.get(name) for name in named)


def tell(engine: Engine, delivery_id: str, client: OpenLineageClient | None = None) -> int:
    """Send what is to be said of a delivery; returns how many events. Trouble with the receiver is logged, and is none of the delivery's."""
    if client is None and not wanted():
        return 0
    said = events(engine, deliveries.get(engine.ledger, delivery_id))
    try:
        client = client or OpenLineageClient()
        for event in said:
            client.emit(event)
    except Exception as error:  # whatever a transport raises
        log.warning("%s: its lineage was not sent: %s", delivery_id, type(error).__name__)
        return 0
    return len(said)


def events(engine: Engine, delivery: Delivery) -> list[RunEvent]:
    """START when it was claimed and, when it has ended, COMPLETE, FAIL or ABORT (held, or delivered before) with what came of it."""
    run = Run(str(uuid.uuid5(_RUNS, delivery.id)))
    job = Job(NAMESPACE, ".".join(part for part in (delivery.partner, delivery.flow, delivery.table) if part))
    sources, changed, sent = _sources(delivery), _changed(engine, delivery), _sent(engine, delivery)
    begun = delivery.claimed_at or delivery.seen_at
    found = [_event(RunState.START, begun, run, job, sources, [])]
    if delivery.state in FINISHED:
        facets: dict[str, RunFacet] = {}
        if delivery.state in {State.BLOCKED, State.FAILED, State.HELD}:
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
                message=delivery.reason or "INTERNAL", programmingLanguage="Python"
            )
        ended = {State.ACKNOWLEDGED: RunState.COMPLETE, State.BLOCKED: RunState.FAIL, State.FAILED: RunState.FAIL}
        at = delivery.finished_at or delivery.touched_at
        found.append(_event(ended.get(delivery.state, RunState.ABORT), at, Run(run.runId, facets), job, sources, changed + sent))
    return found


def _event(state: RunState, at: datetime, run: Run, job: Job, inputs: list[InputDataset], outputs: list[OutputDataset]) -> RunEvent:
    return RunEvent(eventType=state, eventTime=at.isoformat(), run=run, job=job, inputs=inputs, outputs=outputs, producer=PRODUCER)


def _sources(delivery: Delivery) -> list[InputDataset]:
    """The file that came; for what goes out, the lake's tables as they were pinned."""
    if delivery.source_uri:
        return [InputDataset(*_named(delivery.source_uri, delivery.path))]
    return [InputDataset(f"{NAMESPACE}/lake", table) for table in sorted(delivery.facts.get("pins", {}))]


def _changed(engine: Engine, delivery: Delivery) -> list[OutputDataset]:
    """Each table of the lake that it changed; where there is one alone, with how many source records went into it."""
    tables = sorted({table for one in manifests.of(engine.ledger, delivery.id) for table in one.tables})
    rows = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=delivery.counts.published)
    facets = {"outputStatistics": rows} if len(tables) == 1 else {}
    return [OutputDataset(f"{NAMESPACE}/lake", table, dict(facets)) for table in tables]


def _sent(engine: Engine, delivery: Delivery) -> list[OutputDataset]:
    found = []
    for part in parts.of(engine.ledger, delivery.id):
        if part.done_at is not None:
            size = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=part.records, size=part.size)
            found.append(OutputDataset(f"{NAMESPACE}/{delivery.partner}/{delivery.flow}", part.name, {"outputStatistics": size}))
    return found


def _named(uri: str, path: str | None) -> tuple[str, str]:
    """Namespace (scheme and connection) and name (path) of a file, as OpenLineage names them."""
    found = urlsplit(uri)
    namespace = f"{found.scheme}://{found.netloc}" if found.netloc else found.scheme or "file"
    return namespace, "/".join(part for part in (found.path.strip("/"), path) if part)
