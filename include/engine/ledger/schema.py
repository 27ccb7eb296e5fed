"""The ledger's tables. `migrations/` builds the same ones; a test holds the two against each other."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from include.engine.ledger.types import UtcTime, json_column

HEAD = "0014"
"""The newest revision in migrations/versions/."""

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# An identity that counts on both databases: SQLite gives numbers of its own to INTEGER primary keys only.
_Id = BigInteger().with_variant(Integer(), "sqlite")


def _of_delivery(**options: bool) -> Column[str]:
    return Column("delivery_id", Text, ForeignKey("delivery.id"), nullable=options.get("nullable", False), index=options.get("index", True))


delivery = Table(
    "delivery",
    metadata,
    Column("id", Text, primary_key=True),
    Column("arrival", BigInteger, nullable=False, unique=True),  # the order of arrival, which a clock that is set back cannot upset
    Column("partner", Text, nullable=False),
    Column("flow", Text, nullable=False),
    Column("table", Text, nullable=False),
    Column("lane", Text, nullable=False),  # the table, or the flow where there is none: what stands in line together
    Column("mode", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("source_uri", Text),
    Column("path", Text),
    Column("size", BigInteger),
    Column("mtime_ns", BigInteger),
    Column("content_hash", Text),
    Column("origin", Text, ForeignKey("delivery.id")),
    json_column("origin_filter"),
    Column("root", Text, nullable=False),
    Column("after_block", Text, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("staged_uri", Text),
    Column("gated_uri", Text),
    json_column("contract", nullable=False),
    Column("reason", Text),
    Column("message", Text),
    json_column("facts", nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("claimed_at", UtcTime),
    Column("published_at", UtcTime),
    Column("finished_at", UtcTime),
    Column("touched_at", UtcTime, nullable=False),
    Column("dismissed_at", UtcTime),
    Column("dismissed_by", Text),
    Column("count_in", BigInteger, nullable=False),
    Column("count_published", BigInteger, nullable=False),
    Column("count_quarantined", BigInteger, nullable=False),
    Column("count_filtered", BigInteger, nullable=False),
    Column("count_held", BigInteger, nullable=False),
    Column("count_added", BigInteger, nullable=False),
    Column("count_changed", BigInteger, nullable=False),
    Column("count_deleted", BigInteger, nullable=False),
    Column("count_unchanged", BigInteger, nullable=False),
    Column("count_placeholders", BigInteger, nullable=False),
    Column("count_warnings", BigInteger, nullable=False),
    Index(None, "partner", "lane", "state", "arrival"),
    Index(None, "partner", "flow", "lane", "arrival"),
    Index(None, "state", "touched_at"),
    Index(None, "content_hash"),
    Index(None, "origin"),
    Index(None, "root"),
    Index(None, "seen_at"),
)

delivery_event = Table(
    "delivery_event",
    metadata,
    Column("id", _Id, primary_key=True),
    _of_delivery(),
    Column("at", UtcTime, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("before", Text),
    Column("token", BigInteger, nullable=False),
    Column("step", Text),
    json_column("facts", nullable=False),
)

inbox_look = Table(
    "inbox_look",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("flow", Text, primary_key=True),
    Column("inbox", Text, primary_key=True),
    Column("looked_at", UtcTime),
    Column("files", Integer, nullable=False),
    Column("tried_at", UtcTime, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("note", Text),
    Column("code", Text),
)

inbox_file = Table(
    "inbox_file",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("flow", Text, primary_key=True),
    Column("inbox", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("first_seen_at", UtcTime, nullable=False),
    _of_delivery(nullable=True, index=False),
    # The rows live in the primary key's own tree: one tree to write in, and an inbox's files lie side by side.
    sqlite_with_rowid=False,
)

quarantined = Table(
    "quarantined",
    metadata,
    Column("id", _Id, primary_key=True),
    _of_delivery(),
    Column("step", Text, nullable=False),
    Column("member", Text, nullable=False),
    Column("record", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("column", Text),
    Column("blob_uri", Text, nullable=False),
    Column("blob_row", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("note", Text),
    Column("at", UtcTime, nullable=False),
    Column("partner", Text, nullable=False, server_default=""),  # the delivery's own: so that a page of millions needs no join
    Column("flow", Text, nullable=False, server_default=""),
    Index(None, "state", "at", "id"),
    Index(None, "partner", "state", "at", "id"),
    Index(None, "reason", "state", "at", "id"),
    Index(None, "flow", "state", "at", "id"),
    Index(None, "partner", "reason", "state", "at", "id"),
    Index(
        "ix_quarantined_open", "partner", "flow", "at", sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'")
    ),
)

gate_result = Table(
    "gate_result",
    metadata,
    Column("delivery_id", Text, ForeignKey("delivery.id"), primary_key=True),
    Column("gate", Text, primary_key=True),
    Column("contract", Text, primary_key=True),
    Column("rank", Integer, primary_key=True),  # the order of the contract
    Column("version", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("reason", Text),
    Column("checked", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("passed", Boolean, nullable=False),
)

lake_manifest = Table(
    "lake_manifest",
    metadata,
    Column("id", _Id, primary_key=True),
    _of_delivery(nullable=True),
    Column("at", UtcTime, nullable=False),
    json_column("tables", nullable=False),
)

lake_version = Table(
    "lake_version",
    metadata,
    Column("table", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    _of_delivery(nullable=True),
    Column("at", UtcTime, nullable=False),
)

lake_publishing = Table(
    "lake_publishing",
    metadata,
    Column("delivery_id", Text, ForeignKey("delivery.id"), primary_key=True),
    Column("table", Text, primary_key=True),
    Column("before", BigInteger, nullable=False),  # the table's version when it began; -1: there was no table
    Column("since", BigInteger, nullable=False),  # the last manifest then
    Column("at", UtcTime, nullable=False),
)

lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text),
    Column("token", BigInteger, nullable=False),
    Column("taken_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
)

key = Table(
    "key",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("purpose", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("wrapped", LargeBinary),
    Column("created_at", UtcTime, nullable=False),
    Column("destroyed_at", UtcTime),
    Column("why", Text),
    Index(None, "purpose", "subject"),
)

master_key = Table(
    "master_key",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("fingerprint", Text, nullable=False),
    Column("begun_at", UtcTime, nullable=False),
    Column("done_at", UtcTime),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("at", UtcTime, nullable=False, index=True),
    Column("who", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False, index=True),
    json_column("detail", nullable=False),
)

schedule_state = Table(
    "schedule_state",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("flow", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("last_due_at", UtcTime, nullable=False),
    Column("note", Text),
)

receipt = Table(
    "receipt",
    metadata,
    Column("id", _Id, primary_key=True),
    _of_delivery(),
    Column("kind", Text, nullable=False),
    Column("uri", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("written_at", UtcTime, nullable=False),
    Column("sent_at", UtcTime),
    sa.UniqueConstraint("delivery_id", "kind", "uri"),
)

erased_subject = Table(
    "erased_subject",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("pseudonym", Text, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("certificate_uri", Text, nullable=False),
)

settings_error = Table(
    "settings_error",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("partner", Text, nullable=False, index=True),
    Column("file", Text, nullable=False),
    Column("line", Integer),
    Column("message", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)

pause = Table(
    "pause",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("flow", Text, primary_key=True),  # empty: every flow of the partner
    Column("at", UtcTime, nullable=False),
    Column("who", Text, nullable=False),
)

alert = Table(
    "alert",
    metadata,
    Column("address", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("at", UtcTime, nullable=False),
)

conflict = Table(
    "conflict",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("source", Text, primary_key=True),  # the journal whose numbers these are
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("flow", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("terminal", Text, nullable=False),
    Column("branch", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("item", Text, nullable=False),
    Column("machine", Text, nullable=False),
    Column("system", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("explained", Text, nullable=False),
    Column("closed_at", UtcTime),  # as the source's own list says
    Column("dealt_at", UtcTime),  # as a person said on the board
    Column("dealt_by", Text),
    Column("dealt_note", Text),
)

outbound_copy = Table(
    "outbound_copy",
    metadata,
    Column("delivery_id", Text, ForeignKey("delivery.id"), primary_key=True),
    Column("uri", Text, primary_key=True),
    Column("at", UtcTime, nullable=False),
)

outbound_part = Table(
    "outbound_part",
    metadata,
    Column("delivery_id", Text, ForeignKey("delivery.id"), primary_key=True),
    Column("rank", Integer, primary_key=True, autoincrement=False),  # the order in which they are sent
    Column("name", Text, nullable=False),
    Column("binding", Boolean, nullable=False),
    Column("path", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("begun_at", UtcTime),
    Column("done_at", UtcTime),
    json_column("facts", nullable=False),
)

harvest_window = Table(
    "harvest_window",
    metadata,
    Column("id", _Id, primary_key=True),
    _of_delivery(),
    Column("partner", Text, nullable=False),
    Column("flow", Text, nullable=False),
    Column("series", Text, nullable=False),  # what is harvested of the partner: a format, and a set of it
    Column("kind", Text, nullable=False),
    Column("from_at", UtcTime),
    Column("until_at", UtcTime),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text),
    Column("message", Text),
    json_column("figures", nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("touched_at", UtcTime, nullable=False),
    Column("fetched_at", UtcTime),
    Index(None, "partner", "flow", "series"),
    sa.UniqueConstraint("delivery_id", "series"),
)
