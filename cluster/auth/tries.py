"""Wrong codes and tokens are counted, so that whoever guesses is slowed down."""

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from cluster.auth.tables import FailedTry


def has_failed_often(session: Session, keys: list[str], most: int, seconds: float, now: datetime) -> bool:
    """Return whether one of these (what was tried, and by whom) failed so often within the time."""
    since = now - timedelta(seconds=seconds)
    query = select(func.count()).where(FailedTry.at > since)
    return any((session.scalar(query.where(FailedTry.key == key)) or 0) >= most for key in keys)


def count_failure(session: Session, keys: list[str], now: datetime) -> None:
    """Count a failure for each of these; what is older than an hour is forgotten."""
    session.execute(delete(FailedTry).where(FailedTry.at < now - timedelta(hours=1)))
    session.add_all(FailedTry(key=key, at=now) for key in keys)
