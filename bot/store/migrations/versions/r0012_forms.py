"""A form on a page asks once, however often it is sent."""

import sqlalchemy as sa
from alembic import op

revision = "r0012"
down_revision = "r0011"


def upgrade() -> None:
    """Make room for the form's id."""
    op.add_column("deploy_requests", sa.Column("form", sa.Text))
    op.create_index("ix_deploy_requests_form", "deploy_requests", ["form"], unique=True)
