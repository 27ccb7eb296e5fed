"""Small parts: composite collections of at most 200 records a call, each record on its own (`allOrNone` false)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.crm.results import Refusal, Tally
from connectors.crm.salesforce.org import Org, literal

MOST = 200
ROUNDS = 4
_NAMED = 100  # external ids in one query: its address stays short

Record = Mapping[str, Any]


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


def ids(org: Org, object_name: str, key: str, values: Sequence[str]) -> dict[str, str]:
    """Salesforce's ids of the records with these external ids, of those that are there."""
    found: dict[str, str] = {}
    for some in _by(values, _NAMED):
        named = ", ".join(literal(one) for one in some)
        found |= {row[key]: row["Id"] for row in org.query(f"SELECT Id, {key} FROM {object_name} WHERE {key} IN ({named})")}  # noqa: S608
    return found


def delete(org: Org, there: Mapping[str, str]) -> Tally:
    """Delete records (external id -> Salesforce's id); one that is gone already is gone."""
    tally = Tally()
    for some in _by(sorted(there), MOST):
        answers = org.call(
            "DELETE", "composite/sobjects", params={"ids": ",".join(there[one] for one in some), "allOrNone": "false"}
        ).json()
        for one, answer in zip(some, answers, strict=True):
            refusal = None if answer["success"] else _refusal(answer)
            if refusal is None:
                tally.removed += 1
            elif refusal.code in {"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"}:
                tally.gone += 1
            else:
                tally.refused[one] = refusal
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
