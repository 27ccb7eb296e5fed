"""Who has dealt with a conflict of self-service, as they said it on the board.

Revision: 0012; after 0011.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("conflict", sa.Column("dealt_at", sa.DateTime(timezone=True)))
    op.add_column("conflict", sa.Column("dealt_by", sa.Text()))
    op.add_column("conflict", sa.Column("dealt_note", sa.Text()))


def downgrade() -> None:
    for name in ("dealt_note", "dealt_by", "dealt_at"):
        op.drop_column("conflict", name)
