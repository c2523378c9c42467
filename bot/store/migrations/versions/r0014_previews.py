"""Previews of branches, and when each branch was pushed."""

import sqlalchemy as sa
from alembic import op

revision = "r0014"
down_revision = "r0013"


def upgrade() -> None:
    """Make room for them."""
    op.create_table(
        "branches_seen",
        sa.Column("repository", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("commit", sa.Text, nullable=False),
        sa.Column("pushed", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "previews",
        sa.Column("app", sa.Text, primary_key=True),
        sa.Column("environment", sa.Text, primary_key=True),
        sa.Column("ops", sa.Text, nullable=False),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column("compared", sa.Text),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("gone", sa.DateTime(timezone=True)),
        sa.Column("pull_request", sa.Integer),
        sa.Column("comment_id", sa.BigInteger),
        sa.Column("comment_digest", sa.Text),
    )
    op.create_index("ix_previews_gone", "previews", ["gone"])
