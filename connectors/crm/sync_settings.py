"""What a partner's YAML says of its CRM: where it is, what its fields are called, who is sent, and what happens to those who are not any more.

crm_sync:
  schedule: "daily 05:30"
  system: salesforce
  connection: lindeby_crm
  deep_link: "https://vsmart.lindeby.example/borrower/{patron_id}"
  objects:
    contact: {object: Contact, key: Bindery_Id__c, fields: {LastName: last_name, Email: email, Library_Record__c: deep_link}}
"""

from __future__ import annotations

import re
from string import Formatter
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from include.engine.contract.loading import load
from include.engine.outbound.settings import OutboundFlow
from include.engine.partner.settings import FlowSettings, Shape

CONTRACT = "crm_record"
Kind = Literal["account", "contact", "lead", "task", "case", "campaign_member"]
KINDS: tuple[Kind, ...] = ("account", "contact", "lead", "task", "case", "campaign_member")
"""In the order in which they are sent: what is named comes before what names it."""
OWN = frozenset({"kind", "external_id", "change", "protected", "minor"})
"""Columns of the contract that are for the gate and the connector, not for the CRM."""
REFERS = frozenset({"guardian", "about"})
"""Columns that name another record."""
_DOINGS = frozenset({"about", "subject", "happened_on", "status", "campaign", "branch", "patron_id", "card_number", "consent"})
_PROSPECT = frozenset({"first_name", "last_name", "name", "email", "phone", "company", "company_number", "consent"})
_PERSON = frozenset(
    {
        "consent", "patron_id", "card_number", "first_name", "last_name", "name", "email", "phone", "address", "postal_code", "city", "municipality",
        "birth_year", "gender", "category", "home_library", "valid_until", "blocked", "company_number", "guardian",
    }
)  # fmt: skip
COLUMNS_OF: dict[Kind, frozenset[str]] = {
    "account": _PERSON,
    "contact": _PERSON,
    "lead": _PROSPECT | _DOINGS - {"about", "patron_id", "card_number"},
    "task": _DOINGS,
    "case": _DOINGS,
    "campaign_member": _DOINGS,
}
"""The contract's columns that there are of each kind (sql/), beside the deep link and the external id."""
LINKS = frozenset({"patron_id", "card_number", "external_id"})
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?(@odata\.bind)?")


def _share(value: Any) -> Any:
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d{1,3})\s*%\s*", value)
        if not match or int(match[1]) > 100:
            raise ValueError(f"{value!r} is no share: write a percentage such as 20%")
        return int(match[1]) / 100
    return value


Share = Annotated[float, BeforeValidator(_share), WithJsonSchema({"type": "string", "pattern": r"^\d{1,3}\s*%$", "examples": ["20%"]})]


class ObjectMap(Shape):
    """One kind of record: what it is called there, and which of their fields gets which of our columns (contract crm_record)."""

    object: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="their object or table, such as Contact or contacts")
    key: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="their external id field or alternate key")
    fields: dict[str, str] = Field(min_length=1, description="their field: our column")
    values: dict[str, dict[str, str | int | bool]] = Field(
        default_factory=dict, description="their field: {our value: theirs}; '*' is any other"
    )
    always: dict[str, str | int | bool] = Field(default_factory=dict, description="fields that are always the same, such as a record type")
    anonymous: dict[str, str | int | bool] = Field(
        default_factory=dict, description="what required fields hold once a record is anonymised"
    )
    sent: bool = Field(True, description="false: nothing of this kind goes any more, and what is there is anonymised or deleted")

    @model_validator(mode="after")
    def _columns_are_in_the_contract(self) -> Self:
        allowed = [name for name in load(CONTRACT).names if name not in OWN]
        for field, column in self.fields.items():
            if not _FIELD.fullmatch(field):
                raise ValueError(f"{field!r} is no field: a name, Lookup__r.Key__c, or lookup@odata.bind")
            if field.endswith("@odata.bind") and column not in REFERS:
                raise ValueError(f"{column} names no other record: {field} is bound to {' or '.join(sorted(REFERS))}")
            if len({type(theirs) for theirs in self.values.get(field, {}).values()}) > 1:
                raise ValueError(f"the values of {field} are of several sorts: all are texts, all numbers, or all true or false")
            if column not in allowed:
                raise ValueError(f"{column} is not a column that may leave for a CRM (contract {CONTRACT}): one of {', '.join(allowed)}")
        if unknown := (set(self.values) - set(self.fields)) | (set(self.always) & set(self.fields)) | ({self.key} & set(self.fields)):
            raise ValueError(
                f"{', '.join(sorted(unknown))}: `values` are of mapped fields; `always` and `key` are of fields that are not mapped"
            )
        return self


class Brake(Shape):
    """When a sync waits for a person (DAG `approve`): what is smaller than `from` records passes."""

    changed: Share = Field(0.2, description="share of the records there that would be new, changed or removed")
    removed: Share = Field(0.02, description="share of the records there that would be anonymised or deleted")
    least: int = Field(20, alias="from", ge=1, description="as few as this are never held")


class CrmSync(OutboundFlow):
    """Patrons and institutions, and what they did, into the partner's CRM."""

    system: Literal["salesforce", "dynamics"]
    connection: str = Field(pattern=r"^[a-z0-9_]+$", description="the connection with the address, the login and its secret")
    deep_link: str = Field(description="address that opens a borrower, such as https://ils.example/borrower/{patron_id}")
    objects: dict[Kind, ObjectMap] = Field(min_length=1)
    minors: Literal["never", "through_guardian"] = "never"
    on_withdrawal: Literal["anonymise", "delete"] = Field(
        "anonymise", description="what becomes of a record whose patron may not be there any more"
    )
    brake: Brake = Brake()
    reserve: Share = Field(0.1, description="share of the day's calls that is left to others (Salesforce)")
    at_once: int = Field(8, ge=1, le=52, description="calls at once (Dynamics allows 52)")
    bulk_from: int = Field(2000, ge=1, description="records from which a bulk job is used instead of single calls (Salesforce)")

    @model_validator(mode="after")
    def _the_link_can_be_built(self) -> Self:
        if not self.deep_link.startswith("https://"):
            raise ValueError("deep_link is an https:// address")
        names = {name for _, name, _, _ in Formatter().parse(self.deep_link) if name is not None}
        if unknown := names - LINKS:
            raise ValueError(f"deep_link names {', '.join(sorted(unknown))}: it may name {', '.join(sorted(LINKS))}")
        return self

    @model_validator(mode="after")
    def _what_is_referred_to_is_sent(self) -> Self:
        contacts = self.objects.get("contact")
        for kind, found in self.objects.items():
            named = set(found.fields.values()) & REFERS
            if found.sent and named and (contacts is None or not contacts.sent):
                raise ValueError(f"{kind} names contacts ({', '.join(sorted(named))}), and no contacts are sent")
        return self

    @model_validator(mode="after")
    def _each_kind_has_what_is_mapped(self) -> Self:
        for kind in self.objects:
            if strange := self.columns(kind) - COLUMNS_OF[kind]:
                raise ValueError(f"{', '.join(sorted(strange))}: a {kind} has none; it has {', '.join(sorted(COLUMNS_OF[kind]))}")
        return self

    def columns(self, kind: Kind) -> set[str]:
        """The contract's columns that this kind's fields are made of; for a deep link those that its template names."""
        found = set(self.objects[kind].fields.values())
        if "deep_link" in found:
            found = found - {"deep_link"} | {name for _, name, _, _ in Formatter().parse(self.deep_link) if name}
        return found - {"external_id"}


FLOWS: dict[str, type[FlowSettings]] = {"crm_sync": CrmSync}
