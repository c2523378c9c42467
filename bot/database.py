"""A server's own database: SQLite or PostgreSQL, brought to the newest migration when it is opened."""

import sqlite3
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, DateTime, Dialect, Engine, create_engine, event, inspect, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from bot.errors import DppctlError
from bot.limits import BUSY_SECONDS, STORE_ROOM_BYTES

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

_MIGRATING = 0x6470706D  # any number that is ours, for PostgreSQL's advisory locks


@dataclass(frozen=True)
class DatabaseSchema:
    """What a database is to have: the folder of its alembic migrations, the newest of them, and its setting."""

    migrations: Path
    revision: str
    variable: str = "DPPCTL_DATABASE_URL"  # which messages name


class UtcTime(TypeDecorator[datetime]):
    """Times in UTC; SQLite forgets the zone and gets it back here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return value.astimezone(UTC) if value else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class Database:
    """Connections, and transactions that read or write. Safe to use from several threads and processes."""

    def __init__(self, url: str, schema: DatabaseSchema) -> None:
        """Open the database at an SQLAlchemy URL, creating it when it is new. Raises DppctlError when that fails."""
        try:
            self._engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"), pool_size=10, max_overflow=30)
            self.is_sqlite = self._engine.dialect.name == "sqlite"
            if self.is_sqlite:
                event.listen(self._engine, "connect", _use_wal)
                event.listen(self._engine, "begin", _begin)
            self._writing = self._engine.execution_options(dppctl_writes=True)
            _migrate(self._writing, schema)
        except (ArgumentError, ImportError, DBAPIError) as error:
            reason = error.orig if isinstance(error, DBAPIError) else error
            shown = url if url.startswith("sqlite") else _masked(url)
            raise DppctlError(f"{schema.variable} {shown}: {' '.join(str(reason).split())[:300]}") from None
        self._reader = sessionmaker(self._engine, expire_on_commit=False)
        self._writer = sessionmaker(self._writing, expire_on_commit=False)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @property
    def file(self) -> str:
        """Return the path of SQLite's file."""
        return self._engine.url.database or ""

    def check_room(self) -> None:
        """Raise OSError when SQLite's file has no room to grow, or nothing can be written beside it."""
        if self.is_sqlite:
            with TemporaryFile(dir=Path(self.file).absolute().parent) as probe:
                probe.write(bytes(STORE_ROOM_BYTES))
                probe.flush()

    def read(self) -> Session:
        """Return a session that reads, to be used by `with`."""
        return self._reader()

    def write(self) -> AbstractContextManager[Session]:
        """Return a transaction that is committed at the end of `with`.

        With SQLite it is the only one that writes from its start on, so what it reads stays true.
        """
        return self._writer.begin()

    def connect(self) -> Connection:
        """Return a connection outside of any session."""
        return self._engine.connect()

    def write_connection(self) -> AbstractContextManager[Connection]:
        """Return a transaction as `write` does, without a session: quicker for a statement that runs very often."""
        return self._writing.begin()

    def insert(self, table: type[DeclarativeBase]) -> "sqlite.Insert | postgresql.Insert":
        """Return an INSERT that knows ON CONFLICT."""
        return _insert(self._engine, table)


def upsert(
    session: Session,
    table: type[DeclarativeBase],
    keys: Mapping[str, Any],
    changes: Mapping[str, Any],
    update: Mapping[str, Any] | None = None,
) -> bool:
    """Set `changes` in the row with these `keys` (columns of a unique index), inserting it when it is new.

    `update` is set in a row that exists, when that is something else than `changes`: {} leaves it as it is. Return
    whether a row was inserted or changed.
    """
    statement = _insert(session.get_bind(), table).values({**keys, **changes})
    updated = changes if update is None else update
    if updated:
        statement = statement.on_conflict_do_update(index_elements=list(keys), set_=updated)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=list(keys))
    primary_key = inspect(table).primary_key
    return session.connection().execute(statement.returning(*primary_key)).first() is not None


def _insert(bind: Engine | Connection, table: type[DeclarativeBase]) -> "sqlite.Insert | postgresql.Insert":
    if bind.dialect.name == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # only here, as it takes a while: three drivers' dialects

    return postgresql.insert(table)


def _migrate(engine: Engine, schema: DatabaseSchema) -> None:
    """Bring the database to the newest migration; of several processes that do so at once all but one wait."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _MIGRATING})
        has_version = inspect(connection).has_table("alembic_version")
        if has_version and connection.scalar(text("SELECT version_num FROM alembic_version")) == schema.revision:
            return
        # Only here, as it takes a while and is needed once in a database's life.
        from alembic import command
        from alembic.config import Config
        from alembic.util.exc import CommandError

        config = Config()
        config.set_main_option("script_location", str(schema.migrations).replace("%", "%%"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise DppctlError(f"the database is not one that this dppctl knows: {error}") from None


def _begin(connection: Connection) -> None:
    """Begin a real transaction: https://docs.sqlalchemy.org/en/latest/dialects/sqlite.html has this recipe.

    IMMEDIATE for one that writes: others wait for it, instead of failing when they would write.
    """
    writes = connection.get_execution_options().get("dppctl_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _use_wal(connection: Any, _record: object) -> None:
    """Let readers and the writer not wait for each other: https://www.sqlite.org/wal.html."""
    connection.isolation_level = None  # no BEGIN but ours
    connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}")
    # SQLite itself waits for no other that does the same with a new file: https://www.sqlite.org/rescode.html#busy
    for attempt in Retrying(
        retry=retry_if_exception(_is_busy),
        stop=stop_after_delay(BUSY_SECONDS),
        wait=wait_random(0.005, 0.05),
        reraise=True,
    ):
        with attempt:
            connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _masked(url: str) -> str:
    """Return a URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "(which is no URL)"
