"""What is between the commits of several tables.

Revision: 0004; after 0003.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lake_publishing",
        sa.Column("delivery_id", sa.Text, nullable=False),
        sa.Column("table", sa.Text, nullable=False),
        sa.Column("before", sa.BigInteger, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name="fk_lake_publishing_delivery_id"),
        sa.PrimaryKeyConstraint("delivery_id", "table", name="pk_lake_publishing"),
    )


def downgrade() -> None:
    op.drop_table("lake_publishing")
