"""What people were told of environments."""

import sqlalchemy as sa
from alembic import op

revision = "r0015"
down_revision = "r0014"


def upgrade() -> None:
    """Make room for it; nothing was told until now."""
    op.create_table(
        "alerts_told",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("address", "app", "environment", "kind")),
        sa.Column("key", sa.Text, nullable=False),
    )
