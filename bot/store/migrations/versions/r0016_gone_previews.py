"""Why a preview is gone, for the comment on its pull request."""

import sqlalchemy as sa
from alembic import op

revision = "r0016"
down_revision = "r0015"


def upgrade() -> None:
    """Make room for it."""
    op.add_column("previews", sa.Column("reason", sa.Text))
