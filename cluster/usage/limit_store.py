"""The limits and bans in the database, as the limits' file has them: what is decided is decided by these."""

import threading
import time
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bot.database import Database
from bot.errors import DppctlError
from bot.logs import get_logger
from cluster.limits import LIMITS_HELD_SECONDS
from cluster.usage.limit_rules import Ban, BannedError, LimitEntry, ban_of, limits_of
from cluster.usage.limits_file import LimitsFile, read_limits_file
from cluster.usage.tables import BanRow, LimitRow

_log = get_logger("dppctl.usage")


class LimitStore:
    """Limits and bans. Several threads may ask."""

    def __init__(self, database: Database, file: Path | None) -> None:
        """Read the file; without one the limits to start with hold. Raises LimitsFileError, and DppctlError."""
        self._database, self._file, self._lock = database, file, threading.Lock()
        self._stamp = self._look()
        self._held: tuple[float, tuple[LimitEntry, ...], tuple[Ban, ...]] = (0.0, (), ())
        self._store(read_limits_file(file))

    def read_again(self) -> None:
        """Take over a changed file; a broken one changes nothing, and is told."""
        with self._lock:
            if (stamp := self._look()) == self._stamp:
                return
            self._stamp = stamp
            try:
                self._store(read_limits_file(self._file))
            except DppctlError as error:
                _log.error("limits stay as they were", error=error)
            else:
                _log.info("limits read", file=str(self._file))

    def check_ban(self, session: Session, user: str, groups: Collection[str], address: str) -> None:
        """Raise BannedError when somebody is banned."""
        if ban := ban_of(self._held_now(session)[2], user, groups, address, datetime.now(UTC)):
            raise BannedError(ban)

    def limits(self, session: Session, user: str, groups: Collection[str]) -> dict[str, float | None]:
        """Return a person's limits by name; None: no limit."""
        return limits_of(self._held_now(session)[1], user, groups)

    def total_pending(self, session: Session) -> float | None:
        """Return how many runs of all people may wait."""
        return next((each.value for each in self._held_now(session)[1] if each.scope == "total"), None)

    def _held_now(self, session: Session) -> tuple[float, tuple[LimitEntry, ...], tuple[Ban, ...]]:
        """Return what the database has, as of a second ago at most: another server may have read a newer file."""
        held = self._held
        if held[0] < time.monotonic():
            bans = tuple(Ban(row.kind, row.pattern, row.reason, row.until) for row in session.scalars(select(BanRow)))
            entries = tuple(map(_entry, session.scalars(select(LimitRow))))
            held = self._held = time.monotonic() + LIMITS_HELD_SECONDS, entries, bans
        return held

    def _store(self, given: LimitsFile) -> None:
        with self._database.write() as session:
            session.execute(delete(LimitRow))
            session.execute(delete(BanRow))
            for scope, holder, name, value in given.values():
                session.add(LimitRow(scope=scope, holder=holder, name=name, value=value))
            for ban in given.bans:
                session.add(BanRow(kind=ban.kind, pattern=ban.pattern, reason=ban.reason, until=ban.end))
        self._held = 0.0, (), ()

    def _look(self) -> tuple[int, ...] | None:
        try:
            found = self._file.stat() if self._file else None
        except OSError:
            return None
        return (found.st_ino, found.st_mtime_ns, found.st_size) if found else None


def _entry(row: LimitRow) -> LimitEntry:
    return LimitEntry(row.scope, row.holder, row.name, row.value)  # type: ignore[arg-type]
