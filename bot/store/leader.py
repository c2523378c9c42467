"""Of several bots that share a store only one reconciles; the others wait, and one takes over when it ends.

With SQLite, whose users are on one machine, a locked file beside the database says who; with PostgreSQL an advisory
lock (https://www.postgresql.org/docs/current/explicit-locking.html). Both go when their holder does, however it ends.
"""

import fcntl
from typing import IO

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from bot.store.database import Database

_LOCK = 0x6470706E  # any number that is ours


class Leader:
    """A bot's claim to be the one that reconciles."""

    def __init__(self, database: Database) -> None:
        """Compete with the other bots on this database."""
        self._database = database
        self._file: IO[str] | None = None
        self._connection: Connection | None = None

    def acquire(self) -> bool:
        """Claim, and return whether this bot leads. Ask before each round: a lost connection is a lost claim."""
        return self._holds_file() if self._database.is_sqlite else self._holds_lock()

    def release(self) -> None:
        """Let another bot take over."""
        if self._file:
            self._file.close()
        if self._connection:
            self._connection.invalidate()
            self._connection.close()
        self._file = self._connection = None

    def _holds_file(self) -> bool:
        """Lock the file beside SQLite's, or keep it locked."""
        if self._file:
            return True
        file = open(f"{self._database.file}.leader", "w")  # noqa: SIM115 (it is kept)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    def _holds_lock(self) -> bool:
        """Take PostgreSQL's advisory lock, or check that the connection that has it lives."""
        try:
            if self._connection:
                self._connection.execute(text("SELECT 1"))
                return True
            connection = self._database.connect().execution_options(isolation_level="AUTOCOMMIT")
            if connection.scalar(text("SELECT pg_try_advisory_lock(:number)"), {"number": _LOCK}):
                self._connection = connection
                return True
            connection.close()
        except DBAPIError:
            self.release()
        return False
