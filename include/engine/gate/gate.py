"""One delivery through one contract: rows are split batch by batch, and the verdict falls over the whole.

gate = Gate(load("ils_loan"), today=date(2026, 11, 21), delivery="lindeby__loan__20261121T0300__3fa9c2d1")
for batch in staged:
    split = gate.split(batch)
    ...
verdict = gate.verdict()
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from include.engine.contract.arrow import SOURCE_COLUMNS
from include.engine.contract.model import Contract, Rule
from include.engine.contract.suite import suite
from include.engine.gate.details import details
from include.engine.gate.frame import columns_of, frame
from include.engine.gate.judge import Answer, judge
from include.engine.gate.result import FOUND, NOTHING, Split, Verdict
from include.engine.gate.tally import Tally
from include.engine.gate.verdict import verdict
from include.engine.gate.whole import Whole
from include.engine.memory import give_back

#: Rows that Great Expectations judges at a time: larger frames gain nothing and cost memory.
CHUNK = 200_000
#: Rows of each rule that a receipt shows
SAMPLES = 5

Positions = npt.NDArray[np.int64]


class Gate:
    """A delivery's gate. Not for two threads at once.

    today: the day of receipt in the partner's time zone, which `$today` in a rule means.
    delivery: its id, for messages. references: the other tables that the contract's queries name, the partner's own rows of them; a query
    whose tables are not given is not asked, and its result says that nothing was checked.
    """

    def __init__(self, contract: Contract, *, today: date, delivery: str, references: Mapping[str, pa.Table] | None = None) -> None:
        self.contract, self.today, self.delivery = contract, today, delivery
        self._rules = [rule for rule in contract.rules if rule.scope == "row"]
        self._columns = columns_of(self._rules)
        self._suite = suite(contract, today)
        self._whole = Whole(contract, references or {})
        self._tally = Tally()
        self._samples: dict[str, pa.Table] = {}
        self._chunks = 0

    def split(self, batch: pa.RecordBatch) -> Split:
        """Divides a batch of any size (source columns, then the contract's; more columns pass through) by the contract's row rules.

        A row that breaks a rule of severity `block` or `quarantine` is set aside once, with the first such rule in the order of the
        contract; `detail` names the others. Warned rows go on. Each call costs some 0.1 s whatever its rows: hand over large batches.
        """
        splits = [self._split(batch.slice(start, CHUNK)) for start in range(0, batch.num_rows, CHUNK)]
        if len(splits) == 1:
            return splits[0]
        set_aside = pa.concat_tables([one.set_aside for one in splits]) if splits else NOTHING
        accepted = pa.concat_batches([one.accepted for one in splits]) if splits else batch
        positions = [number * CHUNK + one.positions for number, one in enumerate(splits)]
        return Split(accepted, set_aside, np.concatenate(positions) if positions else np.empty(0, dtype=np.int64))

    def verdict(self, *, set_aside_before: int = 0) -> Verdict:
        """What becomes of the delivery, after its last batch. `set_aside_before` rows that a reader set aside count among the bad ones."""
        late = self._whole.late()
        samples = pa.concat_tables(list(self._samples.values())) if self._samples else NOTHING
        name = f"{self.delivery}:{self.contract.id}:whole"
        return verdict(self.contract, self._tally, self._whole, late, samples, name=name, set_aside_before=set_aside_before)

    def _split(self, batch: pa.RecordBatch) -> Split:
        self._chunks += 1
        name = f"{self.delivery}:{self.contract.id}:{self.contract.version}:{self._chunks}"
        answers = judge(frame(batch, self.contract, self._columns), self._suite, name) if self._rules else {}
        for rule in self._rules:
            self._tally.count(rule, answers[rule.id])
            self._sample(rule, batch, answers[rule.id].positions)
        bad, set_aside = self._set_aside(batch, answers)
        accepted = batch if not len(bad) else batch.filter(pa.array(_without(bad, batch.num_rows)))
        self._tally.divide(batch.num_rows, len(bad))
        self._whole.add(accepted)
        give_back()
        return Split(accepted, set_aside, bad)

    def _set_aside(self, batch: pa.RecordBatch, answers: Mapping[str, Answer]) -> tuple[Positions, pa.Table]:
        """Positions, ascending, of the rows that do not go on, and their rows of SET_ASIDE without raw."""
        deciding = [rule for rule in self._rules if rule.severity != "warn" and len(answers[rule.id].positions)]
        first = np.full(batch.num_rows, -1, dtype=np.int32)
        others: dict[int, list[str]] = {}
        for number, rule in enumerate(deciding):
            rows = answers[rule.id].positions
            free = first[rows] < 0
            first[rows[free]] = number
            for row in rows[~free].tolist():
                others.setdefault(row, []).append(rule.reason)
        parts = list(self._parts(batch, deciding, first))
        if not parts:
            return np.empty(0, dtype=np.int64), NOTHING
        positions = np.concatenate([rows for rows, _ in parts])
        order = np.argsort(positions, kind="stable")
        bad, table = positions[order], pa.concat_tables([part for _, part in parts]).take(pa.array(order))
        return bad, _with_others(table, bad, others)

    def _parts(self, batch: pa.RecordBatch, rules: list[Rule], first: npt.NDArray[np.int32]) -> Iterator[tuple[Positions, pa.Table]]:
        for number, rule in enumerate(rules):
            rows = np.flatnonzero(first == number)
            if len(rows):
                yield rows, self._found(rule, batch, rows)

    def _found(self, rule: Rule, batch: pa.RecordBatch, rows: Positions) -> pa.Table:
        column = rule.column or (rule.columns[0] if rule.columns else None)
        same = {"reason": rule.reason, "column": column}
        repeated = {name: pa.repeat(pa.scalar(value, pa.string()), len(rows)) for name, value in same.items()}
        words = details(rule, self.contract, batch, rows, self.today)
        return pa.table({**_places(batch, rows), **repeated, "detail": words}).cast(FOUND)

    def _sample(self, rule: Rule, batch: pa.RecordBatch, rows: Positions) -> None:
        have = self._samples.get(rule.id, NOTHING)
        if len(rows) and have.num_rows < SAMPLES:
            self._samples[rule.id] = pa.concat_tables([have, self._found(rule, batch, rows[: SAMPLES - have.num_rows])])


def _places(batch: pa.RecordBatch, rows: Positions) -> dict[str, pa.Array]:
    """Where the rows came from; a batch without source columns counts its rows from 1."""
    if set(SOURCE_COLUMNS.names) <= set(batch.schema.names):
        return {name[1:]: batch.column(name).take(pa.array(rows)) for name in SOURCE_COLUMNS.names}
    zeros = np.zeros(len(rows), dtype=np.int64)
    return {
        "member": pa.repeat(pa.scalar(""), len(rows)),
        "record": pa.array(rows + 1),
        "offset": pa.array(zeros),
        "length": pa.array(zeros - 1),
    }


def _without(bad: Positions, rows: int) -> npt.NDArray[np.bool_]:
    kept = np.ones(rows, dtype=bool)
    kept[bad] = False
    return kept


def _with_others(table: pa.Table, bad: Positions, others: Mapping[int, list[str]]) -> pa.Table:
    """Adds to `detail` the further reasons of the few rows that have some."""
    if not others:
        return table
    rows = np.flatnonzero(np.isin(bad, np.fromiter(others, dtype=np.int64)))
    detail = table.column("detail").to_numpy(zero_copy_only=False).astype(object)
    for row in rows.tolist():
        detail[row] = f"{detail[row]}; also {', '.join(dict.fromkeys(others[int(bad[row])]))}"
    return table.set_column(table.schema.get_field_index("detail"), FOUND.field("detail"), pa.array(detail, pa.string()))
