"""An image's tag is more than its files' tree; a deployment by hand may want its image built anew."""

import sqlalchemy as sa
from alembic import op

revision = "r0007"
down_revision = "r0006"


def upgrade() -> None:
    """Rename the one, make room for the other."""
    op.execute("ALTER TABLE images RENAME COLUMN tree TO tag")
    op.add_column("deploy_requests", sa.Column("rebuild", sa.Boolean, nullable=False, server_default=sa.false()))
