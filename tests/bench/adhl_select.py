"""Which loans an upload sends, at scale: python -m tests.bench.adhl_select [--loans 1000000]

The lake has the loans of a library, their items and patrons; a patron has 20 loans. Measured is the step `select` whole (the query, the
pseudonyms, the contract, the sealed rows), for a first upload that sends everything, and for the next one, for which everything but one loan
in a hundred was settled. Each in a process of its own, with its peak of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tests.bench.row import row

HOME = Path(".bench/adhl_select").absolute()
LIBRARY, NEW = "lindeby", 100
YAML = """\
name: Lindeby
isil: DK-799001
agency: "799001"
timezone: Europe/Copenhagen
language: da
status: live
flows:
  adhl_upload: {schedule: "monthly 1 02:00", keys: [{connection: key, fingerprint: "%s"}], posthus: {connection: posthus}}
""" % ("0" * 40)


def lent(first: int, count: int, patrons: int) -> pa.Table:
    """Home loans of the last 200 days, of a million titles at most."""
    from include.engine import clock

    number = np.arange(first, first + count)
    today = (clock.now().date() - timedelta(days=1)).toordinal() - 719163  # days since 1970-01-01
    same = {"event": "loan", "event_id": "once", "kind": "home", "key_id": "k"}
    return pa.table(
        {
            "loan_id": pa.array(number).cast(pa.string()),
            "patron": pc.utf8_lpad(pa.array(number % patrons).cast(pa.string()), 32, "0"),
            "item_id": pa.array(number * 7919 % min(1_000_000, count)).cast(pa.string()),
            "loaned_on": pa.array((today - number % 200).astype("int32")).cast(pa.date32()),
            "patron_is_alias": pa.repeat(pa.scalar(False), count),
            "renewals": pa.array(np.zeros(count, np.int32)),
            **{name: pa.repeat(pa.scalar(value), count) for name, value in same.items()},
        }
    )


def prepared(loans: int) -> None:
    """The lake of a first upload."""
    from tests.bench.house import empty_house

    engine, patrons = empty_house(HOME, [LIBRARY]), loans // 20
    (HOME / "partners" / f"{LIBRARY}.yaml").write_text(YAML)
    number = pa.array(np.arange(patrons))
    flags = ("institution", "placeholder", "minor", "protected", "blocked", "deleted")
    people = {
        "patron": pc.utf8_lpad(number.cast(pa.string()), 32, "0"), "key_id": pa.repeat(pa.scalar("k"), patrons),
        "gender": pa.array(["k", "m"]).take(pc.bit_wise_and(number, 1)), "birth_year": pa.array((1940 + np.arange(patrons) % 70).astype("int16")),
        **{name: pa.repeat(pa.scalar(False), patrons) for name in flags},
    }  # fmt: skip
    _put(engine, "patron", pa.table(people), "patrons")
    items = np.arange(min(1_000_000, loans))
    titles = pa.array(20_000_000 + items).cast(pa.string())
    flags_of = {name: pa.repeat(pa.scalar(False), len(items)) for name in ("deleted", "placeholder")}
    status = pa.repeat(pa.scalar("available"), len(items))
    named = {"item_id": pa.array(items).cast(pa.string()), "control_number": titles, "status": status, **flags_of}
    _put(engine, "item", pa.table(named), "items")
    _put(engine, "loan", lent(0, loans, patrons), "loans")


def settled(loans: int) -> None:
    """The first upload was received, and some loans have come since."""
    engine = _engine()
    count = loans - loans // NEW
    record = pc.binary_join_element_wise("loan ", pa.array(np.arange(count)).cast(pa.string()), "")
    words = {"flow": "adhl_upload", "outcome": "sent"}
    rows = {
        "record": record,
        "digest": pa.nulls(count, pa.int64()),
        **{name: pa.repeat(pa.scalar(one), count) for name, one in words.items()},
    }
    _put(engine, "settled", pa.table(rows), "settled")


def _engine() -> Any:
    from connectors import flow_models
    from include.engine.credentials import EnvironmentCredentials
    from include.engine.engine import MASTER, Engine
    from tests.bench.house import MASTER_KEY

    environment = {"BINDERY_HOME": str(HOME), "BINDERY_PARTNERS": str(HOME / "partners")}
    return Engine.open(EnvironmentCredentials({f"AIRFLOW_CONN_{MASTER.upper()}": MASTER_KEY}), flow_models(), environment)


def _put(engine: Any, table: str, rows: pa.Table, name: str) -> None:
    from include.engine.lake.publish import publish
    from include.engine.ledger import manifests
    from include.engine.ledger.manifests import Versions

    contract = engine.contract(table)
    wanted = [column for column in contract.columns if column.name in rows.column_names]
    fitted = rows.select([column.name for column in wanted]).cast(pa.schema([(column.name, column.type) for column in wanted]))
    made = publish(engine.lake, contract, LIBRARY, name, fitted.to_reader, "delta", lambda: None)
    manifests.pin(engine.ledger, None, {table: Versions(made.version_before, made.version_after)})


def measured() -> dict[str, float]:
    """One selection in this process; its delivery is dismissed."""
    from connectors.adhl import outbound
    from include.engine.delivery import State
    from include.engine.dispatch.start import start
    from include.engine.inbound.ending import stopped
    from include.engine.ledger import claims, deliveries
    from include.engine.outbound.select import select

    engine = _engine()
    made = start(engine, LIBRARY, "adhl_upload", who="bench")
    begin, busy = time.perf_counter(), time.process_time()
    select(engine, made.id, outbound)
    seconds, core = time.perf_counter() - begin, time.process_time() - busy
    counts = deliveries.get(engine.ledger, made.id).counts
    token = claims.take(engine.ledger, made.id, "bench")
    claims.advance(engine.ledger, token, State.FAILED, counts=stopped(counts))
    claims.dismiss(engine.ledger, made.id, "bench")
    return {"seconds": seconds, "core": core, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "sent": counts.published}


def run(loans: int) -> None:
    """Print both selections."""
    _child("prepare", loans)
    _told("a first upload", loans, json.loads(_child("measure", loans).splitlines()[-1]), loans)
    _child("settle", loans)
    _told("the next upload", loans, json.loads(_child("measure", loans).splitlines()[-1]), loans // NEW)


def _told(what: str, loans: int, found: dict[str, float], expected: int) -> None:
    name = f"selecting {expected:,} of {loans:,} loans, {what}"
    print(f"{name}: {found['seconds']:.1f} s, {found['core']:.1f} s of processors, peak {found['peak']:.0f} MiB")
    row("adhl_upload", name, found["seconds"], "s")
    row("adhl_upload", f"{name}: processors", found["core"], "s")
    row("adhl_upload", f"{name}: peak memory", found["peak"], "MiB")
    if int(found["sent"]) != expected:
        raise SystemExit(f"{found['sent']:,.0f} loans were selected, {expected:,} were due")


def _child(what: str, loans: int) -> str:
    command = [sys.executable, "-m", "tests.bench.adhl_select", "--child", what, "--loans", str(loans)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.adhl_select", description=__doc__)
    parser.add_argument("--loans", type=int, default=1_000_000)
    parser.add_argument("--child", choices=["prepare", "settle", "measure"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child == "measure":
        print(json.dumps(measured()))
    elif given.child:
        (prepared if given.child == "prepare" else settled)(given.loans)
    else:
        print(f"load {os.getloadavg()[0]:.1f}")
        run(given.loans)


if __name__ == "__main__":
    main()
