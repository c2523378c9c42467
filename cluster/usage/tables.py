"""The tables of the usage server.

Each change to them is a migration in `cluster/usage/migrations/versions`; a test compares the two.
"""

from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Double, Index, Integer, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bot.database import DatabaseSchema, UtcTime

USAGE_SCHEMA = DatabaseSchema(Path(__file__).parent / "migrations", "u0001", "DPPCTL_USAGE_DATABASE_URL")


class UsageTable(DeclarativeBase):
    """What all tables share."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcTime,
        dict[str, Any]: JSON,
        str: Text,
        int: BigInteger,
        float: Double,
    }


class LoggedEvent(UsageTable):
    """Something that somebody did or was refused, or a run's new phase. Rows are added, and never changed."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_user", "user", "at"),)

    id: Mapped[str] = mapped_column(primary_key=True)  # by which an event that comes twice is known
    at: Mapped[datetime] = mapped_column(index=True)
    user: Mapped[str]
    login: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    outcome: Mapped[str]
    ip: Mapped[str]
    seconds: Mapped[int]  # of a terminal: how long it was open
    details: Mapped[dict[str, Any]]


class Reservation(UsageTable):
    """A reservation among those of a user's limits, from before its run exists to its end."""

    __tablename__ = "reservations"
    __table_args__ = (Index("ix_reservations_open", "released", "user"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    run: Mapped[str] = mapped_column(index=True)  # its name
    user: Mapped[str]
    groups: Mapped[str]  # of the user, separated by spaces
    database: Mapped[bool]
    seconds: Mapped[float]  # of a worker's time, that it may take of the day's
    is_pending: Mapped[bool]  # as far as is known
    made: Mapped[datetime]
    expires: Mapped[datetime | None]  # unless its run was seen by then; None: it was
    released: Mapped[datetime | None]


class RunUsage(UsageTable):
    """What a run used."""

    __tablename__ = "usage"
    __table_args__ = (Index("ix_usage_user", "user", "ended"),)

    uid: Mapped[str] = mapped_column(primary_key=True)
    run: Mapped[str]  # its name
    user: Mapped[str]
    worker_seconds: Mapped[float]
    database_seconds: Mapped[float]
    rows: Mapped[int]
    bytes_in: Mapped[int]
    bytes_published: Mapped[int]
    created: Mapped[datetime]
    started: Mapped[datetime | None]  # when a worker was assigned to it
    ended: Mapped[datetime | None] = mapped_column(index=True)
    outcome: Mapped[str]  # its phase, the last one when it has ended; Vanished: it was not there any more
    noticed: Mapped[str]  # limits that its user was told of, separated by spaces
    is_closed: Mapped[bool] = mapped_column(index=True)  # nothing is added any more


class LimitRow(UsageTable):
    """A value of a limit, as the limits' file has it."""

    __tablename__ = "limits"

    scope: Mapped[str] = mapped_column(primary_key=True)  # a Scope
    holder: Mapped[str] = mapped_column(primary_key=True)  # the user or the group; "" of the others
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float | None]  # None: no limit


class BanRow(UsageTable):
    """Somebody who may do nothing, as the limits' file has it."""

    __tablename__ = "bans"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    kind: Mapped[str]  # user, group or address
    pattern: Mapped[str]
    reason: Mapped[str]
    until: Mapped[datetime | None]
