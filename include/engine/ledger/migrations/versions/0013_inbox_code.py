"""Why the last look at an inbox failed, as a reason code beside its words.

Revision: 0013; after 0012.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("inbox_look", sa.Column("code", sa.Text()))
    # The one code that anything goes by stood at the end of the words: what was told of is not told again.
    op.execute("UPDATE inbox_look SET code = 'CREDENTIAL_MISSING' WHERE failures > 0 AND note LIKE '%[CREDENTIAL_MISSING]'")


def downgrade() -> None:
    op.drop_column("inbox_look", "code")
