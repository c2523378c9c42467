"""People, tokens, sessions, device codes."""

import sqlalchemy as sa
from alembic import op

from bot.database import UtcTime

revision = "a0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "people",
        sa.Column("user", sa.Text, primary_key=True),
        sa.Column("login", sa.Text, nullable=False),
        sa.Column("owns_login", sa.Boolean, nullable=False),
        sa.Column("groups", sa.JSON, nullable=False),
        sa.Column("github_token", sa.Text),
        sa.Column("created", UtcTime, nullable=False),
        sa.Column("seen", UtcTime, nullable=False),
    )
    op.create_table(
        "login_names",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("user", sa.Text, nullable=False),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("sha256", sa.Text, nullable=False, unique=True),
        sa.Column("user", sa.Text, nullable=False, index=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created", UtcTime, nullable=False),
        sa.Column("expires", UtcTime, nullable=False, index=True),
        sa.Column("last_used", UtcTime),
    )
    op.create_table(
        "sessions",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("user", sa.Text, nullable=False, index=True),
        sa.Column("token_sha256", sa.Text),
        sa.Column("created", UtcTime, nullable=False, index=True),
        sa.Column("used", UtcTime, nullable=False),
    )
    op.create_table(
        "device_codes",
        sa.Column("device_hash", sa.Text, primary_key=True),
        sa.Column("user_code_hash", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created", UtcTime, nullable=False),
        sa.Column("expires", UtcTime, nullable=False, index=True),
        sa.Column("interval", sa.Integer, nullable=False),
        sa.Column("polled", UtcTime),
        sa.Column("approved", sa.Boolean),
        sa.Column("user", sa.Text),
    )
    op.create_table(
        "failed_tries",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, index=True),
        sa.Column("at", UtcTime, nullable=False, index=True),
    )
