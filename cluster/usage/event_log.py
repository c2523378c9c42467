"""What people did and were refused, and the phases of runs: written down once each, and never changed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from bot.database import Database, upsert
from bot.usage_events import UsageEvent
from cluster.limits import USAGE_DAYS
from cluster.usage.tables import LoggedEvent, Reservation, RunUsage

PUBLISHED = "publication"  # the action of an upload that was published; `details` has `uid` and `bytes`
SSH = "ssh"  # the action of a terminal that has been closed; `details.seconds` is how long it was open


class EventLog:
    """The log. Several threads and processes may write."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    def record(self, events: Sequence[UsageEvent]) -> None:
        """Write events down; one whose id is known is not doubled."""
        with self._database.write() as session:
            self.add(session, events)

    def add(self, session: Session, events: Sequence[UsageEvent]) -> None:
        """Write events down in a transaction."""
        rows = [{**event.model_dump(), "seconds": _seconds(event)} for event in events]
        if rows:
            statement = self._database.insert(LoggedEvent).on_conflict_do_nothing(index_elements=["id"])
            session.connection().execute(statement, rows)
        for event in events:
            if event.action == PUBLISHED and event.outcome == PUBLISHED:
                _count_upload(session, event)

    def forget_old(self) -> None:
        """Remove what is too old to be kept: events, what runs used, and reservations that were given back."""
        now = datetime.now(UTC)
        with self._database.write() as session:
            session.execute(delete(LoggedEvent).where(LoggedEvent.at < now - timedelta(days=USAGE_DAYS)))
            session.execute(delete(RunUsage).where(RunUsage.ended < now - timedelta(days=USAGE_DAYS)))
            session.execute(delete(Reservation).where(Reservation.released < now - timedelta(days=1)))


def ssh_seconds(session: Session, user: str, since: datetime) -> int:
    """Return how long a user's terminals were open that were closed after a time."""
    of_user = (LoggedEvent.user == user, LoggedEvent.at > since, LoggedEvent.action == SSH)
    return int(session.scalar(select(func.sum(LoggedEvent.seconds)).where(*of_user)) or 0)


def _count_upload(session: Session, event: UsageEvent) -> None:
    """Write down what an upload published, as of a run that used nothing else; once, however often it is told."""
    size = event.details.get("bytes", 0)
    values = {
        "run": event.subject,
        "user": event.user,
        "worker_seconds": 0.0,
        "database_seconds": 0.0,
        "rows": 0,
        "bytes_in": 0,
        "bytes_published": size if isinstance(size, int) else 0,
        "created": event.at,
        "started": None,
        "ended": event.at,
        "outcome": "Published",
        "noticed": "",
        "is_closed": True,
    }
    upsert(session, RunUsage, {"uid": str(event.details.get("uid", event.id))}, values, update={})


def _seconds(event: UsageEvent) -> int:
    found = event.details.get("seconds", 0)
    return found if isinstance(found, int) else 0
