"""Which partners, and which of their flows, a person has paused.

Revision: 0006; after 0005.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pause",
        sa.Column("partner", sa.Text, nullable=False),
        sa.Column("flow", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("partner", "flow", name="pk_pause"),
    )


def downgrade() -> None:
    op.drop_table("pause")
