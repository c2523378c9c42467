"""The usage server's memory, behind one object with a part for each subject."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.database import Database
from cluster.usage.event_log import EventLog, ssh_seconds
from cluster.usage.limit_rules import BannedError
from cluster.usage.limit_store import LimitStore
from cluster.usage.reservations import DAY, Reservations, publish_allowance, used_since
from cluster.usage.shapes import PublishAllowance
from cluster.usage.tables import USAGE_SCHEMA


@dataclass(frozen=True)
class Allowance:
    """What the proxy itself keeps somebody to; None: no limit."""

    calls_per_minute: float | None
    upload_bytes: float | None
    ssh_seconds: float | None  # that are left today
    publish: PublishAllowance | None
    banned: str = ""  # why, when somebody is


class UsageService:
    """Limits, reservations, and the log. Several threads may use it."""

    def __init__(self, url: str, limits_file: Path | None) -> None:
        """Open the database at an SQLAlchemy URL, and read the limits. Raises DppctlError."""
        self.database = Database(url, USAGE_SCHEMA)
        self.limits = LimitStore(self.database, limits_file)
        self.reservations = Reservations(self.database, self.limits)
        self.events = EventLog(self.database)

    def close(self) -> None:
        """Close all connections."""
        self.database.close()

    def allowance(self, user: str, groups: Collection[str] = (), address: str = "") -> Allowance:
        """Return what somebody may still do."""
        with self.database.read() as session:
            limits = self.limits.limits(session, user, groups)
            banned = ""
            try:
                self.limits.check_ban(session, user, groups, address)
            except BannedError as error:
                banned = str(error)
            minutes = limits["sshMinutes"]
            publish = publish_allowance(used_since(session, user, datetime.now(UTC) - DAY), limits)
            left = None if minutes is None else minutes * 60 - ssh_seconds(session, user, datetime.now(UTC) - DAY)
        return Allowance(
            calls_per_minute=limits["callsPerMinute"],
            upload_bytes=limits["uploadBytes"],
            ssh_seconds=None if left is None else max(0.0, left),
            publish=publish,
            banned=banned,
        )
