"""The first tables; the database itself refuses changes of what was logged."""

import sqlalchemy as sa
from alembic import op

revision = "u0001"
down_revision = None

_REFUSED = "the log of events is added to, and never changed"


def upgrade() -> None:
    """Make all tables."""
    time, is_so = sa.DateTime(timezone=True), sa.Boolean
    op.create_table(
        "events",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("at", time, nullable=False, index=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("user", "login", "action", "subject", "outcome", "ip")),
        sa.Column("seconds", sa.BigInteger, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Index("ix_events_user", "user", "at"),
    )
    op.create_table(
        "reservations",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("run", sa.Text, nullable=False, index=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("user", "groups")),
        sa.Column("database", is_so, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("is_pending", is_so, nullable=False),
        sa.Column("made", time, nullable=False),
        sa.Column("expires", time),
        sa.Column("released", time),
        sa.Index("ix_reservations_open", "released", "user"),
    )
    op.create_table(
        "usage",
        sa.Column("uid", sa.Text, primary_key=True),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("worker_seconds", sa.Double, nullable=False),
        sa.Column("database_seconds", sa.Double, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("rows", "bytes_in", "bytes_published")),
        sa.Column("created", time, nullable=False),
        sa.Column("started", time),
        sa.Column("ended", time, index=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("outcome", "noticed")),
        sa.Column("is_closed", is_so, nullable=False, index=True),
        sa.Index("ix_usage_user", "user", "ended"),
    )
    op.create_table(
        "limits",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("scope", "holder", "name")),
        sa.Column("value", sa.Double),
    )
    op.create_table(
        "bans",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("kind", "pattern", "reason")),
        sa.Column("until", time),
    )
    _refuse_changes()


def _refuse_changes() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END")
        return
    op.execute(
        "CREATE FUNCTION events_stay() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSED}'; END $$"
    )
    op.execute("CREATE TRIGGER events_stay BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION events_stay()")
