"""What the register has of records that the CRM names: whose they are, and whether the register has changed since the CRM confirmed them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.crm.delta import Names, digest
from connectors.crm.people import PEOPLE, everybody, these, wanted
from connectors.crm.sync_settings import CrmSync
from include.engine import clock
from include.engine.clock import day_in
from include.engine.inbound.pulled import Pull
from include.engine.outbound.connector import Work
from include.engine.outbound.lake import View, pinned

_FIELDS = ("email", "phone", "consent")


@dataclass(frozen=True)
class Held:
    """One patron as the register has it; `consent` is "true", "false" or empty. `changed`: otherwise than the CRM last confirmed. `minor`: a child,
    whose e-mail and telephone are its guardian's."""

    patron: str
    email: str | None
    phone: str | None
    consent: str | None
    changed: bool
    minor: bool = False


def held(pull: Pull, sync: CrmSync, external: set[str]) -> dict[str, dict[str, Any]]:
    """What is held of the records with these external ids, as plain values, by external id. Of those that may not be in the CRM, nothing."""
    if not external:
        return {}
    work = _as_sync(pull, sync)
    names, keys = Names(work), pa.array(sorted(external), pa.string())
    found: dict[str, dict[str, Any]] = {}
    with work.lake.connect() as connection:
        owners = []
        for batch in everybody(work, sync, PEOPLE, set(), connection):
            people = batch.filter(pc.and_(pc.equal(batch.column("why"), 0), pc.equal(batch.column("kind"), "contact")))
            ids = names.external(people.column("own"))
            owners.append(
                pa.table({"kind": people.column("kind"), "own": people.column("own"), "external": ids}).filter(pc.is_in(ids, keys))
            )
        due = pa.concat_tables(owners)
        confirmed = dict(connection.sql("SELECT record, digest FROM settled").fetchall()) if due.num_rows else {}
        columns = wanted(sync, PEOPLE) | {*_FIELDS, "minor"}
        for batch in these(work, sync, PEOPLE, columns, due, connection) if due.num_rows else ():
            digests = digest(batch, sync, "contact").tolist()
            for row, now in zip(batch.select(["own", "external", *_FIELDS, "minor"]).to_pylist(), digests, strict=True):
                changed = confirmed.get(f"contact/{row['external']}") != now
                consent = None if row["consent"] is None else str(row["consent"]).lower()
                found[row["external"]] = {
                    "patron": row["own"], "email": row["email"] or None, "phone": row["phone"] or None, "consent": consent, "changed": changed,
                    "minor": row["minor"],
                }  # fmt: skip
    return found


def _as_sync(pull: Pull, sync: CrmSync) -> Work:
    """The lake as crm_sync sees it now, and what it has settled."""
    now = clock.now()
    view = View(pull.engine, pull.partner.id, "crm_sync", pinned(pull.engine, PEOPLE.tables), PEOPLE.tables)
    day = day_in(pull.partner.timezone, now)
    return Work(pull.partner, sync, pull.delivery, now, day, view, pull.engine.keys, pull.engine.credentials)
