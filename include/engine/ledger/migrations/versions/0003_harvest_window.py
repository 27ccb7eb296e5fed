"""Windows of fetched deliveries.

Revision: 0003; after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "harvest_window",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("delivery_id", sa.Text, nullable=False),
        sa.Column("partner", sa.Text, nullable=False),
        sa.Column("flow", sa.Text, nullable=False),
        sa.Column("series", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("from_at", _TIME, nullable=True),
        sa.Column("until_at", _TIME, nullable=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=True),
        sa.Column("message", sa.Text, nullable=True),
        sa.Column("figures", sa.JSON, nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("touched_at", _TIME, nullable=False),
        sa.Column("fetched_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name="fk_harvest_window_delivery_id"),
        sa.PrimaryKeyConstraint("id", name="pk_harvest_window"),
        sa.UniqueConstraint("delivery_id", "series", name="uq_harvest_window_delivery_id_series"),
    )
    op.create_index("ix_harvest_window_delivery_id", "harvest_window", ["delivery_id"])
    op.create_index("ix_harvest_window_partner_flow_series", "harvest_window", ["partner", "flow", "series"])


def downgrade() -> None:
    op.drop_table("harvest_window")
