"""Which pipelines of what is deployed run by the clock."""

import sqlalchemy as sa
from alembic import op

revision = "r0017"
down_revision = "r0016"


def upgrade() -> None:
    """Make room for it; sync says it at the end of each deployment."""
    op.create_table(
        "deployed_schedules",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("app", "environment")),
        sa.Column("pipelines", sa.JSON, nullable=False),
    )
