"""What the bot wrote for an environment is known without asking git."""

import sqlalchemy as sa
from alembic import op

revision = "r0009"
down_revision = "r0008"


def upgrade() -> None:
    """Make room for a digest of the values file."""
    op.add_column("deployments", sa.Column("values_digest", sa.Text))
