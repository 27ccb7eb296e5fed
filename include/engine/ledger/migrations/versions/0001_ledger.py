"""The ledger's first tables.

Revision: 0001; after none. Written out in full: what `schema.py` says today may change, what this revision made may not.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_COUNTS = ("in", "published", "quarantined", "filtered", "held", "added", "changed", "deleted", "unchanged", "placeholders", "warnings")
_TABLES = (
    "audit",
    "delivery",
    "erased_subject",
    "inbox_look",
    "key",
    "lease",
    "schedule_state",
    "settings_error",
    "delivery_event",
    "gate_result",
    "inbox_file",
    "lake_manifest",
    "lake_version",
    "outbound_copy",
    "quarantined",
    "receipt",
)


def _must(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _may(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=True)


def _id() -> sa.Column[Any]:
    return _must("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"))


def upgrade() -> None:
    op.create_table(
        "audit",
        _id(),
        _must("at", _TIME),
        _must("who", sa.Text),
        _must("action", sa.Text),
        _must("subject", sa.Text),
        _must("detail", sa.JSON),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_subject", "audit", ["subject"])
    op.create_table(
        "delivery",
        _must("id", sa.Text),
        _must("arrival", sa.BigInteger),
        _must("partner", sa.Text),
        _must("flow", sa.Text),
        _must("table", sa.Text),
        _must("lane", sa.Text),
        _must("mode", sa.Text),
        _must("state", sa.Text),
        _must("status", sa.Text),
        _may("source_uri", sa.Text),
        _may("path", sa.Text),
        _may("size", sa.BigInteger),
        _may("mtime_ns", sa.BigInteger),
        _may("content_hash", sa.Text),
        _may("origin", sa.Text),
        _may("origin_filter", sa.JSON),
        _must("root", sa.Text),
        _must("after_block", sa.Text),
        _must("token", sa.BigInteger),
        _must("tries", sa.Integer),
        _may("staged_uri", sa.Text),
        _may("gated_uri", sa.Text),
        _must("contract", sa.JSON),
        _may("reason", sa.Text),
        _may("message", sa.Text),
        _must("facts", sa.JSON),
        _must("seen_at", _TIME),
        _may("claimed_at", _TIME),
        _may("triggered_at", _TIME),
        _may("published_at", _TIME),
        _may("finished_at", _TIME),
        _must("touched_at", _TIME),
        _may("dismissed_at", _TIME),
        _may("dismissed_by", sa.Text),
        *(_must(f"count_{name}", sa.BigInteger) for name in _COUNTS),
        sa.ForeignKeyConstraint(["origin"], ["delivery.id"], name="fk_delivery_origin"),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
        sa.UniqueConstraint("arrival", name="uq_delivery_arrival"),
    )
    op.create_index("ix_delivery_content_hash", "delivery", ["content_hash"])
    op.create_index("ix_delivery_origin", "delivery", ["origin"])
    op.create_index("ix_delivery_partner_lane_state_arrival", "delivery", ["partner", "lane", "state", "arrival"])
    op.create_index("ix_delivery_root", "delivery", ["root"])
    op.create_index("ix_delivery_seen_at", "delivery", ["seen_at"])
    op.create_index("ix_delivery_state_touched_at", "delivery", ["state", "touched_at"])
    op.create_table(
        "erased_subject",
        _must("partner", sa.Text),
        _must("pseudonym", sa.Text),
        _must("at", _TIME),
        _must("certificate_uri", sa.Text),
        sa.PrimaryKeyConstraint("partner", "pseudonym", name="pk_erased_subject"),
    )
    op.create_table(
        "inbox_look",
        _must("partner", sa.Text),
        _must("flow", sa.Text),
        _must("inbox", sa.Text),
        _may("looked_at", _TIME),
        _must("files", sa.Integer),
        _must("tried_at", _TIME),
        _must("failures", sa.Integer),
        _may("note", sa.Text),
        sa.PrimaryKeyConstraint("partner", "flow", "inbox", name="pk_inbox_look"),
    )
    op.create_table(
        "key",
        _must("key_id", sa.Text),
        _must("purpose", sa.Text),
        _must("subject", sa.Text),
        _may("wrapped", sa.LargeBinary),
        _must("created_at", _TIME),
        _may("destroyed_at", _TIME),
        _may("why", sa.Text),
        sa.PrimaryKeyConstraint("key_id", name="pk_key"),
    )
    op.create_index("ix_key_purpose_subject", "key", ["purpose", "subject"])
    op.create_table(
        "lease",
        _must("name", sa.Text),
        _may("holder", sa.Text),
        _must("token", sa.BigInteger),
        _must("taken_at", _TIME),
        _must("expires_at", _TIME),
        sa.PrimaryKeyConstraint("name", name="pk_lease"),
    )
    op.create_table(
        "schedule_state",
        _must("partner", sa.Text),
        _must("flow", sa.Text),
        _must("name", sa.Text),
        _must("last_due_at", _TIME),
        _may("note", sa.Text),
        sa.PrimaryKeyConstraint("partner", "flow", "name", name="pk_schedule_state"),
    )
    op.create_table(
        "settings_error",
        _id(),
        _must("partner", sa.Text),
        _must("file", sa.Text),
        _may("line", sa.Integer),
        _must("message", sa.Text),
        _must("at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_settings_error"),
    )
    op.create_index("ix_settings_error_partner", "settings_error", ["partner"])
    op.create_table(
        "delivery_event",
        _id(),
        _must("delivery_id", sa.Text),
        _must("at", _TIME),
        _must("kind", sa.Text),
        _must("state", sa.Text),
        _may("before", sa.Text),
        _must("token", sa.BigInteger),
        _may("step", sa.Text),
        _must("facts", sa.JSON),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name="fk_delivery_event_delivery_id"),
        sa.PrimaryKeyConstraint("id", name="pk_delivery_event"),
    )
    op.create_index("ix_delivery_event_delivery_id", "delivery_event", ["delivery_id"])
    op.create_table(
        "gate_result",
        _must("delivery_id", sa.Text),
        _must("gate", sa.Text),
        _must("contract", sa.Text),
        _must("rank", sa.Integer),
        _must("version", sa.Text),
        _must("rule", sa.Text),
        _must("severity", sa.Text),
        _may("reason", sa.Text),
        _must("checked", sa.BigInteger),
        _must("failed", sa.BigInteger),
        _must("passed", sa.Boolean),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name="fk_gate_result_delivery_id"),
        sa.PrimaryKeyConstraint("delivery_id", "gate", "contract", "rank", name="pk_gate_result"),
    )
    op.create_table(
        "inbox_file",
        _must("partner", sa.Text),
        _must("flow", sa.Text),
        _must("inbox", sa.Text),
        _must("path", sa.Text),
        _must("size", sa.BigInteger),
        _must("mtime_ns", sa.BigInteger),
        _must("first_seen_at", _TIME),
        _may("delivery_id", sa.Text),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name="fk_inbox_file_delivery_id"),
        sa.PrimaryKeyConstraint("partner", "flow", "inbox", "path", name="pk_inbox_file"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "lake_manifest",
        _id(),
        _may("delivery_id", sa.Text),
        _must("at", _TIME),
        _must("tables", sa.JSON),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name="fk_lake_manifest_delivery_id"),
        sa.PrimaryKeyConstraint("id", name="pk_lake_manifest"),
    )
    op.create_index("ix_lake_manifest_delivery_id", "lake_manifest", ["delivery_id"])
    op.create_table(
        "lake_version",
        _must("table", sa.Text),
        _must("version", sa.BigInteger),
        _may("delivery_id", sa.Text),
        _must("at", _TIME),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name="fk_lake_version_delivery_id"),
        sa.PrimaryKeyConstraint("table", "version", name="pk_lake_version"),
    )
    op.create_index("ix_lake_version_delivery_id", "lake_version", ["delivery_id"])
    op.create_table(
        "outbound_copy",
        _must("delivery_id", sa.Text),
        _must("uri", sa.Text),
        _must("at", _TIME),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name="fk_outbound_copy_delivery_id"),
        sa.PrimaryKeyConstraint("delivery_id", "uri", name="pk_outbound_copy"),
    )
    op.create_table(
        "quarantined",
        _id(),
        _must("delivery_id", sa.Text),
        _must("step", sa.Text),
        _must("member", sa.Text),
        _must("record", sa.BigInteger),
        _must("offset", sa.BigInteger),
        _must("length", sa.BigInteger),
        _must("reason", sa.Text),
        _may("column", sa.Text),
        _must("blob_uri", sa.Text),
        _must("blob_row", sa.BigInteger),
        _must("state", sa.Text),
        _may("note", sa.Text),
        _must("at", _TIME),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name="fk_quarantined_delivery_id"),
        sa.PrimaryKeyConstraint("id", name="pk_quarantined"),
    )
    op.create_index("ix_quarantined_delivery_id", "quarantined", ["delivery_id"])
    op.create_table(
        "receipt",
        _id(),
        _must("delivery_id", sa.Text),
        _must("kind", sa.Text),
        _must("uri", sa.Text),
        _must("language", sa.Text),
        _must("written_at", _TIME),
        _may("sent_at", _TIME),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name="fk_receipt_delivery_id"),
        sa.PrimaryKeyConstraint("id", name="pk_receipt"),
        sa.UniqueConstraint("delivery_id", "kind", "uri", name="uq_receipt_delivery_id_kind_uri"),
    )
    op.create_index("ix_receipt_delivery_id", "receipt", ["delivery_id"])


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)
