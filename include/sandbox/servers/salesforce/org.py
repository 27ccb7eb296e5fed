"""A Salesforce org in memory: objects with typed fields, records by id, and the rules by which a row is refused.

Status codes and the form of messages follow the SOAP API Developer Guide, "StatusCode", and the Bulk API 2.0 guide, "Get Job Failed Record
Results" (`STATUS_CODE:message:fields --`). Field lengths are those of the standard objects' reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

Kind = Literal["text", "email", "phone", "boolean", "date", "datetime", "number", "lookup", "url"]
API = "59.0"
INTEGRATION_USER, PERSON = "005000000000001AAA", "005000000000002AAA"


class RowError(Exception):
    """A row that Salesforce refuses: its status code, message and fields."""

    def __init__(self, code: str, message: str, fields: Iterable[str] = ()) -> None:
        super().__init__(code)
        self.code, self.message, self.fields = code, message, list(fields)

    def __str__(self) -> str:
        return f"{self.code}:{self.message}:{' '.join(self.fields)} --"


@dataclass(frozen=True)
class Field:
    """One field. `length` is in characters; `to` names the object that a lookup points to."""

    kind: Kind = "text"
    length: int = 255
    required: bool = False
    external_id: bool = False
    to: str = ""
    picklist: tuple[str, ...] = ()


_EXT = Field(external_id=True, length=80)
_LINK = Field("url", 255)
OBJECTS: dict[str, tuple[str, dict[str, Field]]] = {
    "Account": (
        "001",
        {
            "Name": Field(required=True), "Phone": Field("phone", 40), "BillingStreet": Field(), "BillingPostalCode": Field(length=20),
            "BillingCity": Field(length=40), "RecordTypeId": Field(length=18), "Type": Field(length=40), "Company_Number__c": Field(length=20),
            "Bindery_Id__c": _EXT, "Library_Record__c": _LINK, "Branch__c": Field(length=80),
        },
    ),
    "Contact": (
        "003",
        {
            "FirstName": Field(length=40), "LastName": Field(length=80, required=True), "Email": Field("email", 80),
            "Phone": Field("phone", 40), "MailingStreet": Field(), "MailingPostalCode": Field(length=20), "MailingCity": Field(length=40),
            "RecordTypeId": Field(length=18), "AccountId": Field("lookup", 18, to="Account"), "HasOptedOutOfEmail": Field("boolean"),
            "Bindery_Id__c": _EXT, "Library_Record__c": _LINK, "Guardian__c": Field("lookup", 18, to="Contact"),
            "Patron_Category__c": Field(length=40, picklist=("Voksen", "Barn", "Senior", "Institution", "Andet")), "Branch__c": Field(length=80),
            "Member_Until__c": Field("date"), "Blocked__c": Field("boolean"), "Patron_Number__c": Field(length=40),
        },
    ),
    "Lead": (
        "00Q",
        {
            "FirstName": Field(length=40), "LastName": Field(length=80, required=True), "Company": Field(required=True),
            "Email": Field("email", 80), "Phone": Field("phone", 40), "Status": Field(length=40), "Bindery_Id__c": _EXT,
            "Company_Number__c": Field(length=20),
        },
    ),
    "Task": (
        "00T",
        {
            "Subject": Field(), "Status": Field(length=40), "ActivityDate": Field("date"), "WhoId": Field("lookup", 18, to="Contact"),
            "Type": Field(length=40), "Bindery_Id__c": _EXT, "Branch__c": Field(length=80),
        },
    ),
    "Case": (
        "500",
        {
            "Subject": Field(), "Status": Field(length=40), "Origin": Field(length=40), "ContactId": Field("lookup", 18, to="Contact"),
            "Bindery_Id__c": _EXT, "Reported_On__c": Field("date"), "Branch__c": Field(length=80),
        },
    ),
    "Campaign": ("701", {"Name": Field(length=80, required=True), "Bindery_Id__c": _EXT}),
    "CampaignMember": (
        "00v",
        {
            "ContactId": Field("lookup", 18, to="Contact"), "CampaignId": Field("lookup", 18, to="Campaign"), "Status": Field(length=40),
            "Bindery_Id__c": _EXT, "Responded_On__c": Field("date"),
        },
    ),
}  # fmt: skip
_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;.]{2,}")


@dataclass
class Org:
    """The org's records. `edit` is what a person does in the browser; everything else goes over the API."""

    records: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: {name: {} for name in OBJECTS})
    deleted: list[tuple[str, str]] = field(default_factory=list)
    archived: set[str] = field(default_factory=set)
    """Ids of tasks that were put away: `query` does not see them, `queryAll` does."""
    validation: dict[str, tuple[tuple[str, ...], str]] = field(default_factory=dict)
    """Validation rules of an object: it needs one of these fields; else the message."""
    _next: int = 0
    _by_key: dict[tuple[str, str, str], set[str]] = field(default_factory=dict)
    _clock: datetime = field(default_factory=lambda: datetime.fromtimestamp(0, UTC))

    def now(self) -> str:
        """The org's time in milliseconds, never the same twice: changes have an order."""
        moment = datetime.now(UTC)
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        self._clock = max(moment, self._clock + timedelta(milliseconds=1))
        return self._clock.strftime("%Y-%m-%dT%H:%M:%S.") + f"{self._clock.microsecond // 1000:03d}+0000"

    def fields(self, name: str) -> dict[str, Field]:
        if name not in OBJECTS:
            raise RowError("INVALID_TYPE", f"sObject type '{name}' is not supported.")
        return OBJECTS[name][1]

    def find(self, name: str, key: str, value: str) -> list[dict[str, Any]]:
        """Records whose external id (or Id) has this value; external ids compare without regard to case, as Salesforce does."""
        if key == "Id":
            found = self.records[name].get(value)
            return [found] if found else []
        return [self.records[name][one] for one in sorted(self._by_key.get((name, key, value.casefold()), ()))]

    def one(self, name: str, value: str, key: str = "Bindery_Id__c") -> dict[str, Any] | None:
        """The record with this external id."""
        return next(iter(self.find(name, key, value)), None)

    def all(self, name: str) -> list[dict[str, Any]]:
        return list(self.records[name].values())

    def insert(self, name: str, values: Mapping[str, Any], by: str = INTEGRATION_USER) -> str:
        """A new record; returns its id. RowError when a rule is broken."""
        clean = self._checked(name, values, new=True)
        self._validate(name, clean)
        self._next += 1
        record_id = f"{OBJECTS[name][0]}{self._next:012d}AAA"
        record = {"Id": record_id, **dict.fromkeys(OBJECTS[name][1]), **clean, "CreatedDate": self.now()}
        record |= {"LastModifiedDate": record["CreatedDate"], "SystemModstamp": record["CreatedDate"], "LastModifiedById": by}
        self.records[name][record_id] = record
        self._index(name, record, add=True)
        return record_id

    def update(self, name: str, record: dict[str, Any], values: Mapping[str, Any], by: str = INTEGRATION_USER) -> None:
        clean = self._checked(name, values, new=False)
        self._validate(name, {**record, **clean})
        self._index(name, record, add=False)
        record.update(clean)
        record["LastModifiedDate"] = record["SystemModstamp"] = self.now()
        record["LastModifiedById"] = by
        self._index(name, record, add=True)

    def upsert(self, name: str, key: str, value: str, values: Mapping[str, Any]) -> tuple[str, bool]:
        """Returns the record's id and whether it is new. RowError DUPLICATE_EXTERNAL_ID when several records have the key."""
        if not value:
            raise RowError("MISSING_ARGUMENT", f"{key} not specified", [key])
        found = self.find(name, key, value)
        if len(found) > 1:
            raise RowError("DUPLICATE_EXTERNAL_ID", f"{key}: more than one record found for external id field: {[r['Id'] for r in found]}")
        if not found:
            return self.insert(name, {**values, key: value}), True
        self.update(name, found[0], values)
        return str(found[0]["Id"]), False

    def delete(self, name: str, record_id: str) -> None:
        record = self.records[name].pop(record_id, None)
        if record is None:
            raise RowError("ENTITY_IS_DELETED", "entity is deleted")
        self._index(name, record, add=False)
        self.deleted.append((name, record_id))

    def edit(self, name: str, value: str, key: str = "Bindery_Id__c", **values: Any) -> None:
        """A person changes a record in the browser."""
        [record] = self.find(name, key, value)
        self.update(name, record, values, by=PERSON)

    def _checked(self, name: str, values: Mapping[str, Any], *, new: bool) -> dict[str, Any]:
        fields = self.fields(name)
        clean: dict[str, Any] = {}
        for column, value in values.items():
            lookup, _, key = column.partition(".")
            if key:
                column, value = self._looked_up(name, lookup, key, value)
            if column not in fields:
                raise RowError("INVALID_FIELD", f"No such column '{column}' on sobject of type {name}", [column])
            clean[column] = _typed(column, fields[column], value)
        missing = [one for one, rule in fields.items() if rule.required and (one in clean or new) and clean.get(one) in (None, "")]
        if missing:
            raise RowError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing)
        return clean

    def _validate(self, name: str, record: Mapping[str, Any]) -> None:
        needed, message = self.validation.get(name, ((), ""))
        if needed and not any(record.get(one) for one in needed):
            raise RowError("FIELD_CUSTOM_VALIDATION_EXCEPTION", message, needed[:1])

    def _looked_up(self, name: str, lookup: str, key: str, value: Any) -> tuple[str, Any]:
        """`Guardian__r.Bindery_Id__c` names the record that the lookup `Guardian__c` points to; `Contact.X` is the lookup `ContactId`."""
        column = lookup.removesuffix("__r") + "__c" if lookup.endswith("__r") else f"{lookup}Id"
        rule = self.fields(name).get(column)
        if rule is None or rule.kind != "lookup":
            raise RowError("INVALID_FIELD", f"Field name not found : {lookup}.{key}")
        if value in (None, "", "#N/A"):
            return column, None
        found = self.find(rule.to, key, str(value))
        if len(found) != 1:
            raise RowError("INVALID_FIELD", f"Foreign key external ID: {value} not found for field {key} in entity {rule.to}")
        return column, found[0]["Id"]

    def _index(self, name: str, record: dict[str, Any], *, add: bool) -> None:
        for column, rule in OBJECTS[name][1].items():
            if rule.external_id and record.get(column):
                ids = self._by_key.setdefault((name, column, str(record[column]).casefold()), set())
                ids.add(record["Id"]) if add else ids.discard(record["Id"])


def _typed(column: str, rule: Field, value: Any) -> Any:
    if value in (None, "", "#N/A"):
        return None
    if rule.kind == "boolean":
        if str(value).lower() not in {"true", "false", "1", "0"}:
            raise RowError("INVALID_TYPE_ON_FIELD_IN_RECORD", f"{column}: value not of required type: {value}", [column])
        return str(value).lower() in {"true", "1"}
    if rule.kind == "date" and not re.fullmatch(r"\d{4}-\d\d-\d\d(T.*)?", str(value)):
        raise RowError("INVALID_TYPE_ON_FIELD_IN_RECORD", f"{column}: value not of required type: {value}", [column])
    text = str(value)
    if len(text) > rule.length:
        raise RowError("STRING_TOO_LONG", f"{column}: data value too large: {text} (max length={rule.length})", [column])
    if rule.kind == "email" and not _EMAIL.fullmatch(text):
        raise RowError("INVALID_EMAIL_ADDRESS", f"{column}: invalid email address: {text}", [column])
    if rule.picklist and text not in rule.picklist:
        raise RowError("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", f"{column}: bad value for restricted picklist field: {text}", [column])
    return text[:10] if rule.kind == "date" else text
