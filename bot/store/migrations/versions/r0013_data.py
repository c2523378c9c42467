"""What data came out of each run, what changed in it, and what a deployment waits for."""

import sqlalchemy as sa
from alembic import op

revision = "r0013"
down_revision = "r0012"
_COUNTED = (("id", sa.Integer), ("receipt", sa.JSON), ("counted_rows", sa.BigInteger))


def upgrade() -> None:
    """Make room for them. What each environment has now is what it got by its last deployment that succeeded."""
    for column in (
        sa.Column("change", sa.JSON),
        sa.Column("summary", sa.Text),
        sa.Column("counted_rows", sa.BigInteger),
        sa.Column("tree", sa.Text),
        sa.Column("gate", sa.Text),
        sa.Column("subject", sa.Text),
        sa.Column("author", sa.Text),
    ):
        op.add_column("deployments", column)
    op.create_index("ix_deployments_place_state", "deployments", ["app", "environment", "state"])
    op.add_column("deploy_requests", sa.Column("accept", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("deployment_id", sa.Integer, sa.ForeignKey("deployments.id"), nullable=False),
        sa.Column("app", sa.Text, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("is_scheduled", sa.Boolean, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Double),
        sa.Column("rows", sa.BigInteger),
        sa.Column("bytes", sa.BigInteger),
        sa.Column("summary", sa.Text),
    )
    op.create_index("ix_runs_place", "runs", ["app", "environment", "id"])
    op.create_index("ix_runs_deployment_id", "runs", ["deployment_id"])
    op.create_index("ix_runs_ended", "runs", ["ended"])
    op.create_table(
        "run_results",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run_id", sa.Integer, sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("pipeline", sa.Text, nullable=False),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("rows", sa.BigInteger),
        sa.Column("bytes", sa.BigInteger),
        sa.Column("seconds", sa.Double),
        sa.Column("hash", sa.Text),
    )
    op.create_index("ix_run_results_run_id", "run_results", ["run_id"])
    op.create_table(
        "current_data",
        sa.Column("app", sa.Text, primary_key=True),
        sa.Column("environment", sa.Text, primary_key=True),
        sa.Column("deployment_id", sa.Integer, sa.ForeignKey("deployments.id"), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("receipt", sa.JSON, nullable=False),
    )
    _count_rows()
    # A receipt that is null in JSON is none either.
    op.execute(
        """
        INSERT INTO current_data (app, environment, deployment_id, since, receipt)
        SELECT app, environment, id, changed, receipt FROM deployments WHERE id IN (
            SELECT max(id) FROM deployments
            WHERE state = 'succeeded' AND receipt IS NOT NULL AND CAST(receipt AS TEXT) <> 'null'
            GROUP BY app, environment
        )
        """
    )


def _count_rows() -> None:
    """Take the rows of earlier deployments from their receipts."""
    deployments = sa.table("deployments", *(sa.column(name, kind) for name, kind in _COUNTED))
    connection = op.get_bind()
    numbers = list(connection.scalars(sa.select(deployments.c.id).order_by(deployments.c.id)))
    for begin in range(0, len(numbers), 100):  # a receipt may be large
        some = deployments.c.id.in_(numbers[begin : begin + 100])
        for number, receipt in connection.execute(sa.select(deployments.c.id, deployments.c.receipt).where(some)).all():
            if receipt:
                rows = sum(pipeline.get("rows") or 0 for pipeline in receipt.get("pipelines", ()))
                connection.execute(deployments.update().where(deployments.c.id == number).values(counted_rows=rows))
