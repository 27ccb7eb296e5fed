"""Quarantined records by flow, newest first, over all partners.

Revision: 0008; after 0007.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_quarantined_flow_state_at_id", "quarantined", ["flow", "state", "at", "id"])


def downgrade() -> None:
    op.drop_index("ix_quarantined_flow_state_at_id", "quarantined")
