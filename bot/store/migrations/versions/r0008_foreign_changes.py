"""An environment is held for what somebody else than the bot changed in the ops repo."""

import sqlalchemy as sa
from alembic import op

revision = "r0008"
down_revision = "r0007"


def upgrade() -> None:
    """Make room for the commit that changed it."""
    op.add_column("holds", sa.Column("ops_commit", sa.Text))
