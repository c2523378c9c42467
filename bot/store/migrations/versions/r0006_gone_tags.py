"""A tag that is gone keeps its row; an app's baseline is tags at their commits, where it was a time."""

import sqlalchemy as sa
from alembic import op

revision = "r0006"
down_revision = "r0005"


def upgrade() -> None:
    """Make room for both, and write down which tags each baseline's time meant."""
    op.add_column("tags_seen", sa.Column("gone", sa.DateTime(timezone=True)))
    op.create_table(
        "baseline_tags",
        sa.Column("app", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("commit", sa.Text, nullable=False),
    )
    # An app is OWNER/REPO or OWNER/REPO/PATH, and no repository has a slash at its end.
    op.execute(
        'INSERT INTO baseline_tags (app, name, "commit") SELECT a.app, t.name, t."commit" FROM apps_seen a '
        "JOIN tags_seen t ON a.app = t.repository OR substr(a.app, 1, length(t.repository) + 1) = t.repository || '/' "
        "WHERE t.appeared <= a.baseline"
    )
    with op.batch_alter_table("apps_seen") as table:  # SQLite drops columns since 3.35 only
        table.drop_column("baseline")
