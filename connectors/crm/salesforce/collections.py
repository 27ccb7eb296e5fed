"""Small parts: composite collections of at most 200 records a call, each record on its own (`allOrNone` false)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import requests

from connectors.crm.results import Refusal, Tally
from connectors.crm.salesforce.org import Org, literal

MOST = 200
ROUNDS = 4
_NAMED = 100  # external ids in one query: its address stays short

PATH = "composite/sobjects"
GONE = frozenset({"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"})
Record = Mapping[str, Any]
There = Mapping[str, Sequence[str]]
"""Salesforce's ids by external id: nearly always one."""


def upsert(org: Org, object_name: str, key: str, records: Sequence[Record], tally: Tally | None = None) -> Tally:
    """Upsert records by their external id; what was locked is tried again. Done twice, it changes nothing the second time."""
    tally, left = tally or Tally(), list(records)
    for number in range(ROUNDS):
        again: list[Record] = []
        for some in _by(left, MOST):
            body = {"allOrNone": False, "records": [{"attributes": {"type": object_name}, **nested(one)} for one in some]}
            answers = org.call("PATCH", f"composite/sobjects/{object_name}/{key}", json=body).json()
            for one, answer in zip(some, answers, strict=True):
                if not answer["success"]:
                    tally.refused[one[key]] = _refusal(answer)
                    again += [one] if tally.refused[one[key]].transient else []
                elif answer.get("created"):
                    tally.created += 1
                else:
                    tally.updated += 1
        if not again or number + 1 == ROUNDS:
            break
        left = again
        for one in again:
            tally.refused.pop(one[key])
        org.sleep(org.pause)
    return tally


def ids(org: Org, object_name: str, key: str, values: Sequence[str]) -> There:
    """Salesforce's ids of the records with these external ids, of those that are there: archived ones too, and all that share an external id."""
    found: dict[str, list[str]] = {}
    for some in _by(values, _NAMED):
        named = ", ".join(literal(one) for one in some)
        query = f"SELECT Id, {key} FROM {object_name} WHERE {key} IN ({named}) AND IsDeleted = false"  # noqa: S608
        for row in org.query(query, archived=True):
            found.setdefault(row[key], []).append(row["Id"])
    return found


def delete(org: Org, there: There) -> Tally:
    """Delete records."""
    return _removed(org, there, lambda some: org.call("DELETE", PATH, params={"ids": ",".join(some), "allOrNone": "false"}))


def anonymise(org: Org, object_name: str, there: There, blank: Record) -> Tally:
    """Put `blank` over records. By their own ids: none is made, however late it is by now, and none of two with one external id is left out."""
    record = {"attributes": {"type": object_name}, **nested(blank)}
    return _removed(
        org, there, lambda some: org.call("PATCH", PATH, json={"allOrNone": False, "records": [{**record, "id": one} for one in some]})
    )


def _removed(org: Org, there: There, call: Callable[[list[str]], requests.Response]) -> Tally:
    """Do it to all records, and count by external id; one that is gone already is gone, and what was locked is tried again."""
    tally, done = Tally(), set[str]()
    left = [(key, id) for key in sorted(there) for id in there[key]]
    for number in range(ROUNDS):
        again: list[tuple[str, str]] = []
        for some in _by(left, MOST):
            answers = call([id for _, id in some]).json()
            for one, answer in zip(some, answers, strict=True):
                refusal = None if answer["success"] else _refusal(answer)
                if refusal is None:
                    done.add(one[0])
                elif refusal.transient and number + 1 < ROUNDS:
                    again.append(one)
                elif refusal.code not in GONE:
                    tally.refused[one[0]] = refusal
        if not again:
            break
        left = again
        org.sleep(org.pause)
    tally.removed = len(done - tally.refused.keys())
    tally.gone = len(there.keys() - done - tally.refused.keys())
    return tally


def nested(record: Record) -> dict[str, Any]:
    """`{"Guardian__r.Bindery_Id__c": "x"}` as JSON has it: `{"Guardian__r": {"Bindery_Id__c": "x"}}`; a reference to nobody empties the lookup."""
    made: dict[str, Any] = {}
    for name, value in record.items():
        lookup, _, field = name.partition(".")
        if not field:
            made[name] = value
        elif value is None:
            made[f"{lookup[:-1]}c" if lookup.endswith("__r") else f"{lookup}Id"] = None
        else:
            made[lookup] = {field: value}
    return made


def _refusal(answer: Mapping[str, Any]) -> Refusal:
    first = answer["errors"][0] if answer.get("errors") else {}
    return Refusal(str(first.get("statusCode", "")), str(first.get("message", "")), tuple(first.get("fields") or ()))


def _by(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
