"""What a commit status says is kept with its delivery."""

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"


def upgrade() -> None:
    """Make room for it."""
    op.add_column("deliveries", sa.Column("status", sa.JSON))
