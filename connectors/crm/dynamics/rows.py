"""Rows into Dataverse and out of it: upserts by the alternate key, anonymisations and deletions, in batches, several at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from connectors.crm.dynamics.batch import Answer, Operation, batch, row_path
from connectors.crm.dynamics.client import Environment
from connectors.crm.results import Refusal, Tally
from connectors.crm.trouble import REJECTED, UNPROCESSED, reason_of

ROUNDS = 4
SIZE = 100
"""Operations in a batch: a thousand take minutes, and a lost answer costs them all."""
MOST_AT_ONCE = 52

Record = Mapping[str, Any]
_GONE = frozenset({"0x80040217", "0x80060891"})
"""ObjectDoesNotExist, RecordNotFoundByEntityKey: the row, and not its table, is what there is none of."""


def upsert(environment: Environment, table: str, key: str, records: Sequence[Record], *, at_once: int = 8) -> Tally:
    """Upsert records by their alternate key. What was locked is tried again. Done twice, it changes nothing the second time."""
    operations = {
        one[key]: Operation("PATCH", row_path(table, key, one[key]), {name: value for name, value in one.items() if name != key})
        for one in records
    }

    def counted(tally: Tally, answer: Answer) -> None:
        if answer.status == 201:
            tally.created += 1
        else:
            tally.updated += 1

    return _rounds(environment, operations, counted, at_once)


def anonymise(
    environment: Environment, table: str, key: str, values: Sequence[str], blank: Mapping[str, Any], *, at_once: int = 8
) -> Tally:
    """Put `blank` over the rows with these keys, of those that are there; none is made."""
    operations = {one: Operation("PATCH", row_path(table, key, one), dict(blank), only_update=True) for one in values}
    return _rounds(environment, operations, _removed, at_once)


def delete(environment: Environment, table: str, key: str, values: Sequence[str], *, at_once: int = 8) -> Tally:
    """Delete the rows with these keys; one that is gone already is gone."""
    return _rounds(environment, {one: Operation("DELETE", row_path(table, key, one)) for one in values}, _removed, at_once)


def _removed(tally: Tally, _answer: Answer) -> None:
    tally.removed += 1


def _rounds(environment: Environment, operations: Mapping[str, Operation], counted: Callable[[Tally, Answer], None], at_once: int) -> Tally:
    tally, left = Tally(), dict(operations)
    for number in range(ROUNDS):
        for one, answer in _all(environment, left, min(at_once, MOST_AT_ONCE)):
            if answer.status < 400:
                counted(tally, answer)
            elif (left[one].method == "DELETE" or left[one].only_update) and _code(answer) in _GONE:
                tally.gone += 1
            else:
                tally.refused[one] = _refusal(answer)
        again = [one for one, refusal in tally.refused.items() if refusal.transient]
        if not again or number + 1 == ROUNDS:
            break
        left = {one: operations[one] for one in again}
        for one in again:
            tally.refused.pop(one)
        environment.sleep(environment.pause)
    return tally


def _refusal(answer: Answer) -> Refusal:
    """Of an operation that the service had no time for, a refusal that says so: its row is due again."""
    code, message = _code(answer) or str(answer.status), str(answer.body.get("error", {}).get("message", ""))
    if (answer.status == 429 or answer.status >= 500) and reason_of(code) == REJECTED:
        return Refusal(UNPROCESSED, f"status {answer.status}, {code}")
    return Refusal(code, message)


def _code(answer: Answer) -> str:
    return str(answer.body.get("error", {}).get("code", ""))


def _all(environment: Environment, operations: Mapping[str, Operation], at_once: int) -> list[tuple[str, Answer]]:
    names = list(operations)
    groups = [names[start : start + SIZE] for start in range(0, len(names), SIZE)]
    with ThreadPoolExecutor(max(1, at_once)) as threads:
        answers = list(threads.map(lambda group: batch(environment, [operations[one] for one in group]), groups))
    return [pair for group, answer in zip(groups, answers, strict=True) for pair in zip(group, answer, strict=True)]
