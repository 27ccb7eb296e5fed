"""Salesforce and Dynamics behind the same calls: upsert, remove, changed; and bulk, for a system that takes whole files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, runtime_checkable

from connectors.crm.dynamics import rows
from connectors.crm.dynamics.client import Environment
from connectors.crm.results import Tally
from connectors.crm.salesforce import bulk, collections
from connectors.crm.salesforce.jobs import Wanted
from connectors.crm.salesforce.org import Org, literal
from connectors.crm.sync_settings import CrmSync
from include.engine.credentials import Connection
from include.engine.ledger.parts import Part

Note = Callable[[list[dict[str, Any]]], None]
Records = Sequence[Mapping[str, Any]]


class System(Protocol):
    """A CRM. Each call may be done twice: the second time it finds everything as it should be."""

    def upsert(self, object_name: str, key: str, records: Records) -> Tally:
        """Records by their external id."""
        ...

    def remove(self, object_name: str, key: str, keys: Sequence[str], blank: Mapping[str, Any], *, delete: bool) -> Tally:
        """Delete the records with these keys, or put `blank` over them; one that is not there is not made."""
        ...

    def changed(self, object_name: str, key: str, fields: Sequence[str], since: datetime | None, *, ours: bool) -> Iterator[dict[str, Any]]:
        """Records with an external id that were changed since then: `key`, `fields`, `changed_at` (ISO 8601) and `ours`, whether we were the last
        who did. `ours` says whether those are asked for at all."""
        ...


@runtime_checkable
class BulkSystem(System, Protocol):
    """A CRM that takes a whole file of records as a job of its own. `takes_bulk` says of a partner's settings whether theirs does."""

    def bulk(self, part: Part, object_name: str, key: str, body: bytes, note: Note) -> Tally:
        """The file (mapping.csv); `note` keeps the job's id before its first row leaves."""
        ...


def takes_bulk(flow: CrmSync) -> bool:
    """Whether many records go to the partner's CRM as files. Dataverse takes batches, however many records there are."""
    return flow.system == "salesforce"


@dataclass(frozen=True)
class Salesforce:
    """`poll`: seconds between two looks at a job; `longest`: how long a try waits for one."""

    org: Org
    poll: float
    longest: float = 3600.0

    def upsert(self, object_name: str, key: str, records: Records) -> Tally:
        return collections.upsert(self.org, object_name, key, records)

    def bulk(self, part: Part, object_name: str, key: str, body: bytes, note: Note) -> Tally:
        known = list(part.facts.get("jobs", ()))
        wanted = Wanted(object_name, key)
        return bulk.deliver(self.org, body, wanted, part.begun_at, known, note, poll=self.poll, longest=self.longest)

    def remove(self, object_name: str, key: str, keys: Sequence[str], blank: Mapping[str, Any], *, delete: bool) -> Tally:
        there = collections.ids(self.org, object_name, key, keys)
        tally = collections.delete(self.org, there) if delete else collections.anonymise(self.org, object_name, there, blank)
        tally.gone += len(set(keys) - set(there))
        return tally

    def changed(self, object_name: str, key: str, fields: Sequence[str], since: datetime | None, *, ours: bool) -> Iterator[dict[str, Any]]:
        us = self.org.user
        after = "" if since is None else f" AND LastModifiedDate >= {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        others = "" if ours else f" AND LastModifiedById != {literal(us)}"
        query = f"SELECT {', '.join([key, *fields])}, LastModifiedById, LastModifiedDate FROM {object_name} WHERE {key} != null"  # noqa: S608
        for row in self.org.query(f"{query}{others}{after} ORDER BY LastModifiedDate"):
            told = {"changed_at": row["LastModifiedDate"].replace("+0000", "+00:00"), "ours": row["LastModifiedById"] == us}
            yield {name: row[name] for name in [key, *fields]} | told


@dataclass(frozen=True)
class Dynamics:
    """`at_once`: batches under way at the same time."""

    environment: Environment
    at_once: int

    def upsert(self, object_name: str, key: str, records: Records) -> Tally:
        return rows.upsert(self.environment, object_name, key, records, at_once=self.at_once)

    def remove(self, object_name: str, key: str, keys: Sequence[str], blank: Mapping[str, Any], *, delete: bool) -> Tally:
        if delete:
            return rows.delete(self.environment, object_name, key, keys, at_once=self.at_once)
        return rows.anonymise(self.environment, object_name, key, keys, blank, at_once=self.at_once)

    def changed(self, object_name: str, key: str, fields: Sequence[str], since: datetime | None, *, ours: bool) -> Iterator[dict[str, Any]]:
        us = self.environment.call("GET", "WhoAmI").json()["UserId"]
        after = "" if since is None else f" and modifiedon ge {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        others = "" if ours else f" and _modifiedby_value ne {us}"
        asked = {
            "$select": ",".join([key, *fields, "_modifiedby_value", "modifiedon"]),
            "$filter": f"{key} ne null{others}{after}",
            "$orderby": "modifiedon",
        }
        for row in self.environment.rows(object_name, asked):
            told = {"changed_at": row["modifiedon"].replace("Z", "+00:00"), "ours": row["_modifiedby_value"] == us}
            yield {name: row.get(name) for name in [key, *fields]} | told


def system_of(flow: CrmSync, connection: Connection) -> System:
    """The partner's CRM. The connection's extra may set `retry_seconds` and `poll_seconds`."""
    pause = float(connection.text("retry_seconds") or 2.0)
    if flow.system == "salesforce":
        return Salesforce(Org(connection, reserve=flow.reserve, pause=pause), poll=float(connection.text("poll_seconds") or 2.0))
    return Dynamics(Environment(connection, pause=pause), flow.at_once)
