"""Quarantined records by partner, flow and reason, the newest first: what the quarantine's page asks for.

Revision: 0005; after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_INDEXES = (
    ["state", "at", "id"],
    ["partner", "state", "at", "id"],
    ["reason", "state", "at", "id"],
    ["partner", "reason", "state", "at", "id"],
)


def upgrade() -> None:
    for name in ("partner", "flow"):
        op.add_column("quarantined", sa.Column(name, sa.Text, nullable=False, server_default=""))
        op.execute(f"UPDATE quarantined SET {name} = (SELECT d.{name} FROM delivery d WHERE d.id = quarantined.delivery_id)")  # noqa: S608
    for columns in _INDEXES:
        op.create_index(f"ix_quarantined_{'_'.join(columns)}", "quarantined", columns)


def downgrade() -> None:
    for columns in _INDEXES:
        op.drop_index(f"ix_quarantined_{'_'.join(columns)}", "quarantined")
    for name in ("flow", "partner"):
        op.drop_column("quarantined", name)
