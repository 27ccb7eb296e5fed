"""As much of SOQL as an integration asks: SELECT fields FROM object WHERE ... AND ... ORDER BY field LIMIT n."""

from __future__ import annotations

import re
from typing import Any

from include.sandbox.servers.salesforce.org import OBJECTS, Org

_QUERY = re.compile(
    r"SELECT\s+(?P<fields>.+?)\s+FROM\s+(?P<object>\w+)(?:\s+WHERE\s+(?P<where>.+?))?(?:\s+ORDER\s+BY\s+(?P<order>[\w, ]+?))?(?:\s+LIMIT\s+(?P<limit>\d+))?\s*",
    re.I | re.S,
)
_TERM = re.compile(r"(?P<field>\w+)\s*(?P<op>!=|>=|<=|=|>|<|\bIN\b)\s*(?P<value>\(.*?\)|'(?:[^'\\]|\\.)*'|\S+)", re.I | re.S)
_SYSTEM = {"Id", "CreatedDate", "LastModifiedDate", "SystemModstamp", "LastModifiedById"}


class BadQuery(ValueError):
    """MALFORMED_QUERY or INVALID_FIELD."""


def select(org: Org, query: str, *, archived: bool = False) -> tuple[str, list[dict[str, Any]]]:
    """The object's name and the rows, with the fields asked for; `archived`: those that were put away too. BadQuery when it cannot be read."""
    found = _QUERY.fullmatch(query.strip())
    if not found or found["object"] not in OBJECTS:
        raise BadQuery("unexpected token, or an unknown object")
    name, wanted = found["object"], [one.strip() for one in found["fields"].split(",")]
    known = set(OBJECTS[name][1]) | _SYSTEM
    if unknown := [one for one in wanted if one not in known]:
        raise BadQuery(f"No such column '{unknown[0]}' on entity '{name}'")
    rows = [row for row in org.all(name) if (archived or row["Id"] not in org.archived) and _fits(row, found["where"] or "")]
    for column in reversed([one.strip() for one in (found["order"] or "").split(",") if one.strip()]):
        rows.sort(key=lambda row: str(row.get(column.split()[0]) or ""))
    rows = rows[: int(found["limit"])] if found["limit"] else rows
    return name, [{column: row.get(column) for column in wanted} for row in rows]


def _fits(row: dict[str, Any], where: str) -> bool:
    at = 0
    while at < len(where):
        term = _TERM.match(where, at)
        if not term:
            raise BadQuery(f"unexpected token at {where[at : at + 20]!r}")
        value = False if term["field"] == "IsDeleted" else row.get(term["field"])  # what is deleted is not kept
        if not _holds(value, term["op"].upper(), term["value"]):
            return False
        rest = re.compile(r"\s*(AND\s+)?", re.I).match(where, term.end())
        at = rest.end() if rest else len(where)
    return True


def _holds(value: Any, op: str, text: str) -> bool:
    if op == "IN":
        return value is not None and str(value) in [_plain(one) for one in re.findall(r"'(?:[^'\\]|\\.)*'", text)]
    wanted = _plain(text)
    if wanted is None:
        return (value is None) == (op == "=")
    if value is None:
        return op == "!="
    left, right = (str(value), wanted) if isinstance(wanted, str) else (value, wanted)
    if isinstance(right, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT.*", right):
        left, right = re.sub(r"(\+0000|Z|\+00:00)$", "", left), re.sub(r"(\+0000|Z|\+00:00)$", "", right)
    outcome: bool = {
        "=": left == right,
        "!=": left != right,
        ">": left > right,
        ">=": left >= right,
        "<": left < right,
        "<=": left <= right,
    }[op]
    return outcome


def _plain(text: str) -> Any:
    if text.startswith("'"):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return {"null": None, "true": True, "false": False}.get(text.lower(), text)
