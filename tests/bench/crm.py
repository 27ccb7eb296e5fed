"""What a CRM sync costs: finding what changed among a million patrons, and the CSV of a bulk job.

    python -m tests.bench.crm [--patrons 1000000] [--repeats 3]

The goals: the changes among 1M patrons in under 10 s and 1 GB; 200,000 rows of CSV a second.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import resource
import statistics
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tests.bench.row import row

HOME = Path(".bench/crm").absolute()
CHANGED = 0.01


def flow() -> Any:
    """A mapping of ten fields."""
    from connectors.crm.sync_settings import CrmSync

    fields = {
        "FirstName": "first_name", "LastName": "last_name", "Email": "email", "Phone": "phone", "MailingStreet": "address",
        "MailingPostalCode": "postal_code", "MailingCity": "city", "Category__c": "category", "Until__c": "valid_until", "Link__c": "deep_link",
    }  # fmt: skip
    contact = {"object": "Contact", "key": "Bindery_Id__c", "fields": fields, "values": {"Category__c": {"adult": "Voksen", "*": "Andet"}}}
    return CrmSync(
        schedule="daily 05:30", system="salesforce", connection="crm", deep_link="https://ils.example/{patron_id}", objects={"contact": contact}
    )  # fmt: skip


def register(count: int, changed: bool) -> pa.Table:
    """So many patrons, every other with consent; with `changed` one in a hundred has another e-mail address."""
    number = pa.array(np.arange(count))
    text = number.cast(pa.string())

    def said(before: str, after: str = "") -> pa.Array:
        return pc.binary_join_element_wise(pa.scalar(before), text, pa.scalar(after), "")

    moved = np.arange(count) % int(1 / CHANGED) == 0
    mail = pc.if_else(pa.array(moved & changed), said("new", "@lindeby.example"), said("patron", "@lindeby.example"))
    hexes = pc.utf8_lpad(text, 32, "0")
    same = {
        "key_id": "k", "city": "Lindeby", "postal_code": "4000", "municipality": "0751", "gender": "k", "category": "adult", "home_library": "hb",
    }  # fmt: skip
    columns: dict[str, Any] = {
        "patron": hexes, "patron_id": text, "national_id": pc.utf8_lpad(text, 10, "0"), "name": None, "first_name": said("Ana "),
        "last_name": said("Holm "), "email": mail, "phone": said("+4500"), "address": said("Algade "), "guardian_id": None, "merged_into": None,
        "card_numbers": pa.array([[one] for one in pc.utf8_lpad(text, 12, "9").to_pylist()], pa.list_(pa.string())),
        "birth_date": pa.repeat(pa.scalar(date(1980, 1, 2)), count), "valid_until": pa.repeat(pa.scalar(date(2027, 1, 2)), count),
        "consent": pa.array(np.arange(count) % 2 == 0),
        **{name: pa.repeat(pa.scalar(False), count) for name in ("institution", "protected", "blocked", "deleted")},
        **{name: pa.repeat(pa.scalar(value), count) for name, value in same.items()},
    }  # fmt: skip
    return pa.table({name: pa.nulls(count, pa.string()) if value is None else value for name, value in columns.items()})


def work_of(engine: Any) -> Any:
    """A delivery at work on the lake as it is."""
    from connectors.crm.people import sources
    from include.engine.delivery import NewDelivery
    from include.engine.ledger import deliveries
    from include.engine.outbound.connector import Work
    from include.engine.outbound.lake import View, pinned

    now, mapping = datetime.now(UTC), flow()
    new = NewDelivery(f"havnsund__crm_sync__{now:%Y%m%dT%H%M%S%f}", "havnsund", "crm_sync", "", now)
    delivery = deliveries.see(engine.ledger, new)
    tables = tuple({table for source in sources(mapping) for table in source.tables})
    view = View(engine, "havnsund", "crm_sync", pinned(engine, tables), tables)
    return Work(engine.partner("havnsund"), mapping, delivery, now, now.date(), view, engine.keys, engine.credentials)


def put(engine: Any, table: str, rows: pa.Table, name: str) -> None:
    from include.engine.lake.publish import publish
    from include.engine.ledger import manifests
    from include.engine.ledger.manifests import Versions

    made = publish(engine.lake, engine.contract(table), "havnsund", name, rows.to_reader, "delta", lambda: None)
    manifests.pin(engine.ledger, None, {table: Versions(made.version_before, made.version_after)})


def prepared(count: int) -> None:
    """The lake: a register of `count`, what the CRM confirmed of it, then the register with changes."""
    from connectors.crm.delta import Names, delta
    from tests.bench.house import empty_house

    engine = empty_house(HOME, ["havnsund"])
    put(engine, "patron_identity", register(count, False), "first")
    work = work_of(engine)
    with work.lake.connect() as connection:
        due = delta(work, work.flow, Names(work), connection).due
    left = pc.greater(due.column("why"), 0)
    digest = pc.if_else(left, due.column("why").cast(pa.int64()), due.column("digest"))
    flows = pa.repeat(pa.scalar("crm_sync"), due.num_rows)
    settled = {"flow": flows, "record": due.column("record"), "outcome": pc.if_else(left, "waits", "sent"), "digest": digest}
    put(engine, "settled", pa.table(settled), "settled")
    put(engine, "patron_identity", register(count, True), "second")


def measured() -> dict[str, float]:
    """Runs in the child: the changes found, seconds and peak."""
    from connectors.crm.delta import Names, delta
    from include.engine.credentials import EnvironmentCredentials
    from include.engine.engine import MASTER, Engine
    from tests.bench.house import MASTER_KEY

    environment = {"BINDERY_HOME": str(HOME), "BINDERY_PARTNERS": str(HOME / "partners")}
    from connectors import flow_models

    engine = Engine.open(EnvironmentCredentials({f"AIRFLOW_CONN_{MASTER.upper()}": MASTER_KEY}), flow_models(), environment)
    work = work_of(engine)
    begin, busy = time.perf_counter(), time.process_time()
    with work.lake.connect() as connection:
        found = delta(work, work.flow, Names(work), connection)
    seconds, core = time.perf_counter() - begin, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "core": core, "peak": peak, "due": found.due.num_rows, "all": found.unchanged + found.due.num_rows}


def rendered(count: int) -> tuple[float, float, int]:
    """Rows of bulk CSV a second, beside those of the standard library's writer on the same rows; and bytes."""
    from connectors.crm import mapping

    rows = register(count, False)
    made = {
        "external_id": rows.column("patron"),
        "deep_link": pc.binary_join_element_wise("https://ils.example/", rows.column("patron_id"), ""),
    }
    table = pa.table({**{name: rows.column(name) for name in rows.column_names}, **made})
    begin = time.perf_counter()
    size = 0
    for start in range(0, count, 50_000):
        size += len(mapping.csv(mapping.mapped(table.slice(start, 50_000), flow(), "contact"), header=start == 0))
    ours = time.perf_counter() - begin
    listed = mapping.mapped(table, flow(), "contact").slice(0, count // 4).to_pylist()
    begin = time.perf_counter()
    out = io.StringIO()
    writer = csv.DictWriter(out, list(listed[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(listed)
    peer = time.perf_counter() - begin
    return count / ours, len(listed) / peer, size


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.crm")
    parser.add_argument("--patrons", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--child", choices=["prepare", "measure"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child == "prepare":
        prepared(given.patrons)
        return
    if given.child == "measure":
        print(json.dumps(measured()))
        return
    _child("prepare", given.patrons)
    runs = [json.loads(_child("measure", given.patrons).splitlines()[-1]) for _ in range(given.repeats)]
    middle = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    print(f"{middle['due']:,.0f} changes among {given.patrons:,} patrons: {middle['seconds']:.1f} s, {middle['core']:.1f} s of processors,")
    print(f"peak {middle['peak']:.0f} MiB (goals: 10 s, 1 GB), median of {given.repeats}")
    row("crm", f"changes among {given.patrons:,} patrons", middle["seconds"], "s", "under 10 s for 1M")
    row("crm", f"changes among {given.patrons:,} patrons, processors", middle["core"], "s")
    row("crm", f"changes among {given.patrons:,} patrons: peak memory", middle["peak"], "MiB", "under 1 GB")
    ours, peer, size = rendered(min(given.patrons, 400_000))
    print(f"bulk CSV: {ours:,.0f} rows a second ({size / 1e6:.0f} MB), {ours / peer:.1f} times csv.DictWriter (goal: 200,000)")
    row("crm", "bulk CSV", ours, "rows/s", "200,000 rows/s")
    row("crm", "bulk CSV, ratio to csv.DictWriter", ours / peer, "times")
    if round(given.patrons / 2 * CHANGED * 2) != int(middle["due"]):
        raise SystemExit(f"{middle['due']:,.0f} changes were found, {given.patrons * CHANGED:,.0f} were made")


def _child(what: str, patrons: int) -> str:
    command = [sys.executable, "-m", "tests.bench.crm", "--child", what, "--patrons", str(patrons)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    main()
