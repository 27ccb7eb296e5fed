"""A contract's gate for a delivery, whichever way it goes, and the rows that it has refused so far."""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from include.engine.contract.model import Contract
from include.engine.delivery import Delivery
from include.engine.engine import Engine
from include.engine.gate.gate import Gate
from include.engine.gate.result import Split
from include.engine.inbound.work import named_rows


def judge(engine: Engine, contract: Contract, delivery: Delivery, today: date) -> Gate:
    """The gate of a contract for one delivery, with the rows of the tables that its rules name."""
    wanted = sorted({name for rule in contract.rules for name in rule.references})
    queries = " ".join(rule.query or "" for rule in contract.rules)
    references = {name: named_rows(engine, delivery.partner, name, queries) for name in wanted}
    return Gate(contract, today=today, delivery=delivery.id, references=references)


class Judging:
    """A gate, and which of the rows that it is shown, batch after batch, go no further."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self._out: list[npt.NDArray[np.int64]] = [np.empty(0, np.int64)]
        self._rows = 0

    def split(self, batch: pa.RecordBatch) -> Split:
        """What the gate says of the next rows."""
        split = self.gate.split(batch)
        self._out.append(self._rows + split.positions)
        self._rows += batch.num_rows
        return split

    def refused(self, late: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Positions among all rows, ascending, of those set aside on the way, and of those at the positions `late` among the others."""
        return _both(np.concatenate(self._out), late, self._rows)


def _both(out: npt.NDArray[np.int64], late: npt.NDArray[np.int64], rows: int) -> npt.NDArray[np.int64]:
    """Of `rows` rows the positions `out`, and those at the positions `late` among the others, ascending."""
    if not len(out) or not len(late):
        return late if not len(out) else out
    others = np.delete(np.arange(rows, dtype=np.int64), out)
    return np.sort(np.concatenate([out, others[late]]))
