"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None


def upgrade() -> None:
    """Make all tables."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("repository", sa.Text),
        sa.Column("ref", sa.Text),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
        sa.Column("state", sa.Text, nullable=False, index=True),
        sa.Column("reason", sa.Text),
        sa.Column("received", time, nullable=False, index=True),
        sa.Column("finished", time),
    )
    op.create_table(
        "deployments",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("app", sa.Text, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column("commit", sa.Text, nullable=False),
        sa.Column("ops_commit", sa.Text),
        sa.Column("state", sa.Text, nullable=False, index=True),
        sa.Column("error", sa.Text),
        sa.Column("receipt", sa.JSON),
        sa.Column("created", time, nullable=False),
        sa.Column("changed", time, nullable=False),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("log_size", sa.Integer, nullable=False),
        sa.Column("log_dropped", sa.Integer, nullable=False),
        sa.Index("ix_deployments_place", "app", "environment"),
    )
    op.create_table(
        "deployment_events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("deployment_id", sa.Integer, sa.ForeignKey("deployments.id"), nullable=False, index=True),
        sa.Column("time", time, nullable=False),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("receipt", sa.JSON),
    )
    op.create_table(
        "log_chunks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("deployment_id", sa.Integer, sa.ForeignKey("deployments.id"), nullable=False, index=True),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_table(
        "holds",
        sa.Column("app", sa.Text, primary_key=True),
        sa.Column("environment", sa.Text, primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("since", time, nullable=False),
        sa.Column("until_ref", sa.Text),
        sa.Column("until_tree", sa.Text),
    )
    op.create_table(
        "deploy_requests",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("app", sa.Text, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("ref", sa.Text),
        sa.Column("state", sa.Text, nullable=False, index=True),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("deployment_id", sa.Integer, sa.ForeignKey("deployments.id")),
        sa.Column("created", time, nullable=False),
    )
    op.create_table(
        "tags_seen",
        sa.Column("repository", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("commit", sa.Text, nullable=False),
        sa.Column("appeared", time, nullable=False),
    )
    op.create_table(
        "apps_seen",
        sa.Column("app", sa.Text, primary_key=True),
        sa.Column("baseline", time, nullable=False),
    )
    totals = op.create_table(
        "totals", sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.Double, nullable=False)
    )
    op.bulk_insert(totals, [{"name": "changes", "value": 0.0}])
