"""A connector as small as one can be, for the engine's own tests: holdings as lines `id;control number;branch;statement`."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from include.engine.contract.arrow import SOURCE_COLUMNS
from include.engine.delivery import Delivery
from include.engine.inbound.connector import Binder, Bound, Read, Work
from include.engine.quarantine.schema import set_aside

COLUMNS = ["holding_id", "control_number", "agency", "branch", "location", "call_number", "statement", "deleted"]
SCHEMA = pa.schema([*SOURCE_COLUMNS, *((name, pa.bool_() if name == "deleted" else pa.string()) for name in COLUMNS)])

PARTNER = """\
name: Lindeby Biblioteker
isil: DK-799001
timezone: Europe/Copenhagen
status: live
flows:
  paper_import:
    inbox: file:inbox/lindeby
    every: 0s
    ready: {stable_for: 0s}
    deliveries: [{table: holding, files: "hold_*", mode: delta}]
"""
"""A library that delivers holdings this way."""
GOOD = "".join(f"h{n};c{n};main;v.{n}\n" for n in range(1, 6))
"""Five lines with nothing wrong."""


def read(work: Work) -> Iterator[Read]:
    """Lines of four fields; others are set aside, and lines that begin with # are filtered."""
    for member in work.members():
        rows, aside, filtered, offset = [], [], 0, 0
        for number, line in enumerate(member.stream.read().splitlines(keepends=True), start=1):
            place = {"record": number, "offset": offset, "length": len(line), "member": member.name}
            offset += len(line)
            fields = line.decode().strip().split(";")
            if line.startswith(b"#"):
                filtered += 1
            elif len(fields) != 4:
                aside.append(place | {"reason": "ROW_RAGGED", "detail": f"{len(fields)} fields", "raw": line})
            else:
                source = {f"_{name}": value for name, value in place.items()}
                own = {"holding_id": fields[0] or None, "control_number": fields[1] or None, "branch": fields[2], "statement": fields[3]}
                rows.append(source | own | {"agency": work.partner.isil, "deleted": False})
        batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
        yield Read("holding", batch, set_aside(aside), {"COMMENT": filtered} if filtered else {})


def incoming(table: str) -> str:
    return f"ils_{table}"


def binder(work: Work) -> Binder:
    def bind(table: str, rows: pa.RecordBatch) -> list[Bound]:
        return [Bound(table, pa.table(rows).append_column("partner", pa.repeat(pa.scalar(work.partner.id), rows.num_rows)))]

    return bind


def mode(delivery: Delivery, table: str) -> str:
    return delivery.mode
