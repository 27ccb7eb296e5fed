"""A Dataverse environment in memory: tables with typed columns, rows by id, and the errors of its Web API.

Error codes follow "Web service error codes" and "Upsert a table row" (Power Apps, Dataverse developer documentation).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from include.sandbox.servers.switches import Switches

FAULTS = (
    "login_refused",  # invalid_client
    "login_later",  # temporarily_unavailable
    "token_expires",  # the next call: 401
    "throttled",  # 429 with Retry-After
    "unavailable",  # 503
    "batch_500",  # a batch is done, the answer is 500
    "batch_lost",  # the answer is 500, nothing was done
    "row_throttled",  # the first operation of a batch: 429 for itself
    "row_locked",  # the first operation of a batch: 0x80044a02, a deadlock that a retry gets over
)
Kind = Literal["text", "integer", "boolean", "date", "lookup"]


class Refusal(Exception):
    """An answer with an OData error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status, self.code, self.message = status, code, message

    def body(self) -> dict[str, Any]:
        return {"error": {"code": self.code, "message": self.message}}


@dataclass(frozen=True)
class Column:
    """One column. `to` is the table a lookup points to."""

    kind: Kind = "text"
    length: int = 100
    required: bool = False
    options: tuple[int, ...] = ()
    to: str = ""


_KEY, _LINK = Column(), Column(length=500)
TABLES: dict[str, dict[str, Column]] = {
    "accounts": {
        "name": Column(length=160, required=True), "telephone1": Column(length=50), "address1_line1": Column(length=250),
        "address1_postalcode": Column(length=20), "address1_city": Column(length=80), "emailaddress1": Column(length=100),
        "accountnumber": Column(length=20), "bindery_id": _KEY, "bindery_libraryrecord": _LINK,
    },
    "contacts": {
        "firstname": Column(length=50), "lastname": Column(length=50, required=True), "emailaddress1": Column(length=100),
        "telephone1": Column(length=50), "address1_line1": Column(length=250), "address1_postalcode": Column(length=20),
        "address1_city": Column(length=80), "donotbulkemail": Column("boolean"), "bindery_id": _KEY, "bindery_libraryrecord": _LINK,
        "bindery_category": Column("integer", options=(1, 2, 3, 4, 5)), "bindery_branch": Column(length=80), "bindery_memberuntil": Column("date"),
        "bindery_guardian": Column("lookup", to="contacts"), "bindery_patronnumber": Column(length=40), "bindery_blocked": Column("boolean"),
    },
    "leads": {
        "firstname": Column(length=50), "lastname": Column(length=50, required=True), "companyname": Column(length=100),
        "emailaddress1": Column(length=100), "telephone1": Column(length=50), "subject": Column(length=300), "bindery_id": _KEY,
    },
    "tasks": {
        "subject": Column(length=200), "scheduledend": Column("date"), "regardingobjectid_contact": Column("lookup", to="contacts"),
        "bindery_id": _KEY, "category": Column(length=250),
    },
    "incidents": {
        "title": Column(length=200, required=True), "customerid_contact": Column("lookup", to="contacts"), "bindery_id": _KEY,
        "bindery_reportedon": Column("date"),
    },
    "campaignresponses": {
        "subject": Column(length=200), "bindery_contact": Column("lookup", to="contacts"), "bindery_campaign": Column(length=100),
        "bindery_id": _KEY, "receivedon": Column("date"), "bindery_status": Column(length=100),
    },
}  # fmt: skip
INTEGRATION_USER, PERSON = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"


def id_of(table: str) -> str:
    """The name of a table's primary key."""
    return "activityid" if table in {"tasks", "campaignresponses"} else f"{table.removesuffix('s')}id"


@dataclass
class Environment:
    """Rows by table and id. `edit` is what a person does in the app."""

    rows: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: {name: {} for name in TABLES})
    deleted: list[tuple[str, str]] = field(default_factory=list)
    faults: Switches = field(default_factory=lambda: Switches(FAULTS))
    _keys: dict[tuple[str, str], str] = field(default_factory=dict)
    _clock: datetime = field(default_factory=lambda: datetime.fromtimestamp(0, UTC))

    def now(self) -> str:
        """The environment's time, in milliseconds and never the same twice."""
        moment = datetime.now(UTC)
        self._clock = max(moment.replace(microsecond=moment.microsecond // 1000 * 1000), self._clock + timedelta(milliseconds=1))
        return self._clock.strftime("%Y-%m-%dT%H:%M:%S.") + f"{self._clock.microsecond // 1000:03d}Z"

    def columns(self, table: str) -> dict[str, Column]:
        if table not in TABLES:
            raise Refusal(404, "0x8006088a", f"Resource not found for the segment '{table}'.")
        return TABLES[table]

    def one(self, table: str, key: str) -> dict[str, Any] | None:
        """The row with this alternate key (`bindery_id`)."""
        found = self._keys.get((table, key.casefold()))
        return self.rows[table].get(found) if found else None

    def all(self, table: str) -> list[dict[str, Any]]:
        return list(self.rows[table].values())

    def upsert(
        self, table: str, key: str, values: Mapping[str, Any], *, only: Literal["insert", "update"] | None = None
    ) -> tuple[dict[str, Any], bool]:
        """The row, and whether it is new. Refusal 412 when `only` forbids what would be done, 404 when there is nothing to update."""
        columns = self.columns(table)
        row = self.one(table, key)
        if row is not None and only == "insert":
            raise Refusal(412, "0x80060882", "A record with matching key values already exists.")
        if row is None and only == "update":
            raise _no_such_key(table)
        clean = self._checked(table, columns, values, new=row is None)
        if row is None:
            row = {id_of(table): str(uuid.uuid4()), **dict.fromkeys(columns), "bindery_id": key, "createdon": self.now()}
            self.rows[table][row[id_of(table)]] = row
            self._keys[table, key.casefold()] = row[id_of(table)]
            self._write(row, clean, INTEGRATION_USER)
            return row, True
        self._write(row, clean, INTEGRATION_USER)
        return row, False

    def delete(self, table: str, key: str) -> None:
        self.columns(table)
        found = self._keys.pop((table, key.casefold()), None)
        if found is None:
            raise _no_such_key(table)
        del self.rows[table][found]
        self.deleted.append((table, key))

    def edit(self, table: str, key: str, **values: Any) -> None:
        """A person changes a row in the app."""
        row = self.one(table, key)
        assert row is not None, key
        self._write(row, self._checked(table, self.columns(table), values, new=False), PERSON)

    def _write(self, row: dict[str, Any], values: Mapping[str, Any], by: str) -> None:
        row.update(values)
        row |= {"modifiedon": self.now(), "_modifiedby_value": by}

    def _checked(self, table: str, columns: Mapping[str, Column], values: Mapping[str, Any], *, new: bool) -> dict[str, Any]:
        clean: dict[str, Any] = {}
        for name, value in values.items():
            column, bind, _ = name.partition("@odata.bind")
            rule = columns.get(column)
            if rule is None or bool(bind) != (rule.kind == "lookup" and value is not None):
                message = f"Error identified in Payload provided by the user for Entity :'{table}': The property '{column}' does not exist on type"
                raise Refusal(400, "0x80048d19", message)
            clean[column] = self._looked_up(rule, value) if bind else _typed(table, column, rule, value)
        for name, rule in columns.items():
            if rule.required and (new or name in clean) and clean.get(name) in (None, ""):
                raise Refusal(400, "0x80040203", f"The required field '{name}' is missing.")
        return clean

    def _looked_up(self, rule: Column, value: Any) -> str:
        found = re.fullmatch(r"/?(\w+)\(bindery_id='((?:[^']|'')*)'\)", str(value))
        row = self.one(found[1], found[2].replace("''", "'")) if found and found[1] == rule.to else None
        if row is None:
            raise _no_such_key(rule.to)
        return str(row[id_of(rule.to)])


def _no_such_key(table: str) -> Refusal:
    """RecordNotFoundByEntityKey: what an alternate key that nobody has is answered with; ObjectDoesNotExist is of ids."""
    return Refusal(404, "0x80060891", f"A record with the specified key values does not exist in {table.removesuffix('s')} entity")


def _typed(table: str, column: str, rule: Column, value: Any) -> Any:
    if value is None:
        return None
    if rule.kind == "integer":
        if not isinstance(value, int) or isinstance(value, bool):
            raise Refusal(400, "0x80048d19", f"Cannot convert the literal '{value}' to the expected type 'Edm.Int32'.")
        if rule.options and value not in rule.options:
            raise Refusal(
                400,
                "0x8004431A",
                f"A validation error occurred. The value {value} of '{column}' on record of type '{table}' is outside the valid range.",
            )
        return value
    if rule.kind == "boolean":
        if not isinstance(value, bool):
            raise Refusal(400, "0x80048d19", f"Cannot convert the literal '{value}' to the expected type 'Edm.Boolean'.")
        return value
    if rule.kind == "date" and not re.fullmatch(r"\d{4}-\d\d-\d\d", str(value)):
        raise Refusal(400, "0x80048d19", f"Cannot convert the literal '{value}' to the expected type 'Edm.Date'.")
    if len(str(value)) > rule.length:
        where = f"'{column}' attribute of the '{table}' entity"
        message = f"A validation error occurred. The length of the {where} exceeded the maximum allowed length of '{rule.length}'."
        raise Refusal(400, "0x80044331", message)
    return str(value)
