"""An outbound connector as small as one can be, for the engine's own tests: holdings as lines of a letter, put into a receiver's box.

The receiver's box is a folder; `letter.box` says which. It takes a letter away when its envelope comes, and notes what it took in `taken.txt`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from include.engine.errors import Refused, Unreachable
from include.engine.ledger.parts import Part
from include.engine.outbound.connector import DIGEST, LEFT, RECORD, Answer, Parts, Selected, Sending, Work
from include.engine.outbound.settled import changed
from include.engine.quarantine.schema import set_aside

box = Path()
closed = False
fails_after_envelope = False
refuses_after_envelope = False
turned_down: set[str] = set()
answers: list[Answer] = []

SQL = """
    SELECT holding_id AS {record}, control_number, agency, branch, location, call_number, statement, holding_id, deleted,
        settled.digest AS before
    FROM holding {join} WHERE {due} ORDER BY holding_id
"""


def reads(work: Work) -> Sequence[str]:
    return ("holding",)


def contract(work: Work) -> str:
    return "ils_holding"


def select(work: Work) -> Iterator[Selected]:
    """Holdings of the main branch; those of the attic are left out for good, those without a statement wait for one."""
    join, due = work.lake.due("holding_id")
    with work.lake.connect() as connection:
        for batch in connection.sql(SQL.format(record=RECORD, join=join, due=due)).to_arrow_reader(100):
            digest = pc.binary_length(pc.fill_null(batch.column("statement"), "")).cast(pa.int64())
            batch = batch.append_column(DIGEST, digest).filter(changed(digest, batch.column("before")))
            attic = pc.equal(batch.column("branch"), "attic")
            mute = pc.and_not(pc.is_null(batch.column("statement")), attic)
            rows = batch.filter(pc.invert(pc.or_(attic, mute))).drop_columns(["before"])
            yield Selected(rows, pa.concat_tables([_left(batch, attic, "COMMENT", "left"), _left(batch, mute, "KEY_MISSING", "waits")]))


def _left(batch: pa.RecordBatch, those: pa.Array, reason: str, outcome: str) -> pa.Table:
    found = batch.filter(those)
    columns = [found.column(RECORD), *(pa.repeat(pa.scalar(word), found.num_rows) for word in (reason, outcome)), found.column(DIGEST)]
    return pa.Table.from_arrays(columns, schema=LEFT)


def render(work: Work, rows: Callable[[], pa.RecordBatchReader], parts: Parts) -> None:
    with parts.part(f"{work.delivery.id[-8:]}.letter", binding=False) as letter:
        for batch in rows():
            letter.records += batch.num_rows
            letter.write("".join(f"{one}\n" for one in batch.column("holding_id").to_pylist()).encode())
    with parts.part(f"{work.delivery.id[-8:]}.envelope") as envelope:
        envelope.write(b"to the archive")


def send(work: Work, sending: Sending) -> None:
    if closed:
        raise Unreachable("the box is closed.", where="the box")
    for part in sending.parts:
        if part.done_at is None:
            with sending.open(part) as plain:
                content = plain.read()
            sending.begin(part, f"sftp://post/{part.name}")
            if not (part.begun_at and part.binding and (box / part.name).exists()):
                (box / part.name).write_bytes(content)
                letter = box / part.name.replace("envelope", "letter")
                if part.binding and letter.exists():
                    with (box / "taken.txt").open("ab") as taken:
                        taken.write(letter.read_bytes())
                    letter.unlink()
                    if fails_after_envelope:
                        raise Unreachable("the line went dead.", where="the box")
                    if refuses_after_envelope:
                        raise Refused("your key is out of date.", where="the box")
            refused = (
                set_aside({"member": one, "record": 1, "reason": "KEY_MISSING"} for one in sorted(turned_down))
                if not part.binding
                else None
            )
            sending.done(part, refused=refused, bytes=len(content))


def confirm(work: Work, parts: Sequence[Part]) -> Sequence[Answer]:
    return answers
