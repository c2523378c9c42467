"""Several bots share the ops repos; what is settled is so for each ops repo of an app."""

import sqlalchemy as sa
from alembic import op

revision = "r0010"
down_revision = "r0009"


def upgrade() -> None:
    """Make room for bots and their leases; apps are looked at once more."""
    op.create_table("bots", sa.Column("id", sa.Text, primary_key=True), sa.Column("until", sa.Double, nullable=False))
    op.create_table("leases", sa.Column("name", sa.Text, primary_key=True), sa.Column("bot", sa.Text, nullable=False))
    op.execute("DELETE FROM apps_settled")
