"""What GitHub was told."""

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"


def upgrade() -> None:
    """Make the table, and find what changed lately without reading all."""
    op.create_table(
        "github_notes",
        sa.Column("deployment_id", sa.Integer, sa.ForeignKey("deployments.id"), primary_key=True),
        sa.Column("github_id", sa.BigInteger),
        sa.Column("state", sa.Text),
        sa.Column("status", sa.Text),
        sa.Column("changed", sa.DateTime(timezone=True)),
        sa.Column("seen", sa.Text),
    )
    op.create_index("ix_deployments_changed", "deployments", ["changed"])
