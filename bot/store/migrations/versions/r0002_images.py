"""Images that were built."""

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "images",
        sa.Column("app", sa.Text, primary_key=True),
        sa.Column("tree", sa.Text, primary_key=True),
        sa.Column("image", sa.Text, nullable=False),
        sa.Column("built", sa.DateTime(timezone=True), nullable=False),
    )
