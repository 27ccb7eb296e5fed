"""The figures of an overview: each line's newest delivery, and what waits in quarantine, without reading what is done with.

Revision: 0009; after 0008.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_OPEN = sa.text("state = 'open'")


def upgrade() -> None:
    op.create_index("ix_delivery_partner_flow_lane_arrival", "delivery", ["partner", "flow", "lane", "arrival"])
    op.create_index("ix_quarantined_open", "quarantined", ["partner", "flow", "at"], sqlite_where=_OPEN, postgresql_where=_OPEN)


def downgrade() -> None:
    op.drop_index("ix_quarantined_open", "quarantined")
    op.drop_index("ix_delivery_partner_flow_lane_arrival", "delivery")
