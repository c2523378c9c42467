"""A start looks only at apps that changed since the bot last had nothing to do for them."""

import sqlalchemy as sa
from alembic import op

revision = "r0005"
down_revision = "r0004"


def upgrade() -> None:
    """Make room for it."""
    op.create_table(
        "apps_settled",
        sa.Column("app", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
    )
