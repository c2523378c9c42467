"""People act on environments: who asked for what and why, and which releases are kept to go back to."""

import sqlalchemy as sa
from alembic import op

revision = "r0011"
down_revision = "r0010"


def upgrade() -> None:
    """Make room for acts; requests until now were to deploy."""
    no = sa.false()
    for column in (
        sa.Column("act", sa.Text, nullable=False, server_default="deploy"),
        sa.Column("by", sa.Text, nullable=False, server_default=""),
        sa.Column("login", sa.Text),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("from_environment", sa.Text),
        sa.Column("to_deployment", sa.Integer),
        sa.Column("deployment", sa.Integer),
        sa.Column("until", sa.DateTime(timezone=True)),
        sa.Column("run", sa.Boolean, nullable=False, server_default=no),
    ):
        op.add_column("deploy_requests", column)
    for column in (
        sa.Column("act", sa.Text),
        sa.Column("by", sa.Text),
        sa.Column("login", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("request_id", sa.Integer),
        sa.Column("origin_id", sa.Integer),
        sa.Column("kept", sa.Boolean, nullable=False, server_default=no),
        sa.Column("cancelled_by", sa.Integer),
    ):
        op.add_column("deployments", column)
    op.create_index("ix_deployments_request_id", "deployments", ["request_id"])
    for column in (
        sa.Column("by", sa.Text),
        sa.Column("login", sa.Text),
        sa.Column("until", sa.DateTime(timezone=True)),
        sa.Column("request_id", sa.Integer),
    ):
        op.add_column("holds", column)
