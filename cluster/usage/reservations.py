"""Reservations among those of a user's limits: made before a run exists, released when it has ended.

All of it is one transaction that no other one reads or writes beside: what was counted is still so when one is
made. One lock for all users, as some limits are of all together; a transaction takes some three milliseconds.
"""

import threading
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, func, or_, select, text, update
from sqlalchemy.orm import Session

from bot.database import Database
from cluster.limits import LIMIT_GRACE_SECONDS, RESERVATION_SECONDS
from cluster.usage.limit_rules import LimitReachedError
from cluster.usage.limit_store import LimitStore
from cluster.usage.shapes import PublishAllowance
from cluster.usage.tables import Reservation, RunUsage

DAY = timedelta(days=1)
_RESERVING = 0x75736167  # any number that is ours, for PostgreSQL's advisory locks


@dataclass(frozen=True)
class WantedRun:
    """Who wants to run what."""

    run: str  # the name of the run that is to be
    user: str
    groups: Collection[str] = ()
    address: str = ""
    database: bool = False
    timeout_seconds: int = 3600
    workload_bytes: int = 0
    publishes: bool = True


@dataclass(frozen=True)
class Grant:
    """A reservation, and how long the run may take."""

    id: str
    timeout_seconds: int
    publish: PublishAllowance | None = None  # None: any number of bytes, or none are published


class Reservations:
    """Makes and releases reservations. Several threads and processes may ask."""

    def __init__(self, database: Database, limits: LimitStore) -> None:
        """Take the database, and what knows the limits."""
        self._database, self._limits = database, limits
        self._turn = threading.Lock()  # of this process' threads: quicker than to wait for each other in the database

    def reserve(self, asked: WantedRun) -> Grant:
        """Make a reservation; the same run gets the same one again. Raises LimitReachedError and BannedError."""
        with self._turn, self._database.write() as session:
            if not self._database.is_sqlite:
                session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _RESERVING})
            now = datetime.now(UTC)
            self._limits.check_ban(session, asked.user, asked.groups, asked.address)
            limits = self._limits.limits(session, asked.user, asked.groups)
            open_now = open_reservations(session, asked.user, now)
            seconds = asked.timeout_seconds
            if (longest := limits["runSeconds"]) is not None:
                seconds = min(seconds, int(longest))
            known = next((each for each in open_now if each.run == asked.run), None)
            if known is None:
                _check_counts(asked, limits, open_now)
                self._check_all_pending(session, now)
            used = used_since(session, asked.user, now - DAY)
            publish = publish_allowance(used, limits) if asked.publishes else None
            if publish and not publish.bytes and publish.allowed:
                raise LimitReachedError("publishedBytes", _published(used), publish.allowed, publish.resets_at)
            left = _left_seconds(used, limits, [each for each in open_now if each is not known])
            if seconds < 1:
                raise LimitReachedError("runSeconds", asked.timeout_seconds, 0, None)
            taken = seconds if left is None else min(float(seconds), left)
            # The usage server ends a run at its limit, and says why. When it is away, the operator does a bit later.
            seconds = seconds if left is None else min(seconds, int(left + LIMIT_GRACE_SECONDS))
            if known is not None:
                return Grant(known.id, seconds, publish)
            made = Reservation(
                id=uuid.uuid4().hex,
                run=asked.run,
                user=asked.user,
                groups=" ".join(asked.groups),
                database=asked.database,
                seconds=taken,
                is_pending=True,
                made=now,
                expires=now + timedelta(seconds=RESERVATION_SECONDS),
            )
            session.add(made)
            return Grant(made.id, seconds, publish)

    def release(self, reservation: str) -> bool:
        """Release a reservation; return whether there was one."""
        with self._database.write() as session:
            return release(session, reservation, datetime.now(UTC))

    def count_open(self) -> int:
        """Return how many reservations are open."""
        with self._database.read() as session:
            return session.scalar(_count(_open(datetime.now(UTC)))) or 0

    def _check_all_pending(self, session: Session, now: datetime) -> None:
        if (allowed := self._limits.total_pending(session)) is None:
            return
        pending = session.scalar(_count(_open(now).where(Reservation.is_pending))) or 0
        if pending >= allowed:
            raise LimitReachedError("pendingRuns", pending, allowed, None, "all together")


def release(session: Session, reservation: str, now: datetime) -> bool:
    """Release a reservation; return whether there was one."""
    open_one = update(Reservation).where(Reservation.id == reservation, Reservation.released.is_(None))
    return bool(session.execute(open_one.values(released=now).returning(Reservation.id)).first())


def reserve_anyway(session: Session, run: str, user: str, database: bool, now: datetime) -> None:
    """Make a reservation for a run that is there already, whatever the limits say."""
    values = {"user": user, "groups": "", "database": database, "seconds": 0.0, "is_pending": False, "made": now}
    session.add(Reservation(id=uuid.uuid4().hex, run=run, **values))


def unreleased(session: Session) -> list[Reservation]:
    """Return the reservations of all users that are not released, those whose run never came too."""
    return [*session.scalars(select(Reservation).where(Reservation.released.is_(None)))]


def open_reservations(session: Session, user: str, now: datetime) -> list[Reservation]:
    """Return the open reservations of a user."""
    return [*session.scalars(_open(now).where(Reservation.user == user))]


def used_since(session: Session, user: str, since: datetime) -> list[RunUsage]:
    """Return what a user's runs used that have not ended, or ended after a time."""
    ended = or_(RunUsage.ended.is_(None), RunUsage.ended > since)
    return [*session.scalars(select(RunUsage).where(RunUsage.user == user, ended))]


def resets_at(used: Collection[RunUsage]) -> datetime | None:
    """Return when the first of these does not count any more."""
    ends = [each.ended for each in used if each.ended]
    return min(ends) + DAY if ends else None


def publish_allowance(used: Collection[RunUsage], limits: dict[str, float | None]) -> PublishAllowance | None:
    """Return how much may be published by who published this in 24 hours; None: any number of bytes.

    Runs that go on at the same time each may publish what is left now, and count once they have.
    """
    if (most := limits["publishedBytes"]) is None:
        return None
    publishing = [each for each in used if each.bytes_published]
    return PublishAllowance(bytes=max(0, int(most) - _published(used)), allowed=most, resets_at=resets_at(publishing))


def _published(used: Collection[RunUsage]) -> int:
    return sum(each.bytes_published for each in used)


def _open(now: datetime) -> Select[Reservation]:
    """Return the open reservations, without those whose run was never created."""
    waits = or_(Reservation.expires.is_(None), Reservation.expires > now)
    return select(Reservation).where(Reservation.released.is_(None), waits)


def _count(rows: Select[Reservation]) -> Select[int]:
    return select(func.count()).select_from(rows.subquery())


def _check_counts(asked: WantedRun, limits: dict[str, float | None], open_now: Collection[Reservation]) -> None:
    """Raise LimitReachedError unless there is one more reservation of each kind."""
    counts = {
        "runs": len(open_now),
        "pendingRuns": sum(each.is_pending for each in open_now),
        "databases": sum(each.database for each in open_now) if asked.database else -1,
    }
    ends = min((each.made + timedelta(seconds=each.seconds) for each in open_now), default=None)
    for name, used in counts.items():
        if (allowed := limits[name]) is not None and used >= allowed:
            raise LimitReachedError(name, used, allowed, ends)
    if (most := limits["uploadBytes"]) is not None and asked.workload_bytes > most:
        raise LimitReachedError("uploadBytes", asked.workload_bytes, most, None)


def _left_seconds(
    used: Collection[RunUsage], limits: dict[str, float | None], open_now: Collection[Reservation]
) -> float | None:
    """Return how many seconds of workers a user has left today; None: any number. Raises LimitReachedError."""
    if (hours := limits["workerHours"]) is None:
        return None
    spent = {each.run: each.worker_seconds for each in used}
    # What is reserved counts as used; a run that has begun has a part of its own reservation.
    taken = sum(spent.values()) + sum(max(0.0, each.seconds - spent.get(each.run, 0.0)) for each in open_now)
    if taken >= hours * 3600:
        raise LimitReachedError("workerHours", taken / 3600, hours, resets_at(used))
    return hours * 3600 - taken
