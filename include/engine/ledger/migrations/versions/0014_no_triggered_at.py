"""When a run was triggered is Airflow's to say: the column for it was never written.

Revision: 0014; after 0013.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("delivery", "triggered_at")


def downgrade() -> None:
    op.add_column("delivery", sa.Column("triggered_at", sa.DateTime(timezone=True)))
