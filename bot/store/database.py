"""The store's database: SQLite or PostgreSQL, brought to the newest migration when it is opened."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, create_engine, event, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from bot.errors import DppctlError
from bot.store.tables import Base

REVISION = "r0004"  # the newest in bot/migrations/versions
_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATING = 0x6470706D  # any number that is ours, for PostgreSQL's advisory locks


class Database:
    """Connections, and transactions that read or write. Safe to use from several threads and processes."""

    def __init__(self, url: str) -> None:
        """Opens (and at first makes) the database at an SQLAlchemy URL. Raises DppctlError when that fails."""
        try:
            self._engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"), pool_size=10)
            self.is_sqlite = self._engine.dialect.name == "sqlite"
            if self.is_sqlite:
                event.listen(self._engine, "connect", _use_wal)
                event.listen(self._engine, "begin", _begin)
            self._writing = self._engine.execution_options(dppctl_writes=True)
            _migrate(self._writing)
        except (ArgumentError, ImportError, DBAPIError) as error:
            reason = error.orig if isinstance(error, DBAPIError) else error
            shown = url if url.startswith("sqlite") else _shown(url)
            raise DppctlError(f"DPPCTL_DATABASE_URL {shown}: {' '.join(str(reason).split())[:300]}") from None
        self._reader = sessionmaker(self._engine, expire_on_commit=False)
        self._writer = sessionmaker(self._writing, expire_on_commit=False)

    def close(self) -> None:
        """Closes all connections."""
        self._engine.dispose()

    def connect(self) -> Connection:
        """A connection of one's own."""
        return self._engine.connect()

    @property
    def file(self) -> str:
        """SQLite's file."""
        return self._engine.url.database or ""

    def _reads(self) -> Session:
        return self._reader()

    @contextmanager
    def _writes(self) -> Iterator[Session]:
        """A transaction. With SQLite it is the only one that writes from its start on, so what it reads stays true."""
        with self._writer.begin() as session:
            yield session

    def _insert(self, table: type[Base]) -> "sqlite.Insert | postgresql.Insert":
        """An INSERT that knows ON CONFLICT."""
        there = table.__table__
        assert isinstance(there, Table)  # noqa: S101 (for mypy)
        return sqlite.insert(there) if self.is_sqlite else postgresql.insert(there)


def _migrate(engine: Any) -> None:
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _MIGRATING})
        there = inspect(connection).has_table("alembic_version")
        if there and connection.scalar(text("SELECT version_num FROM alembic_version")) == REVISION:
            return
        # Only here, as it takes a while and is needed once in a database's life.
        from alembic import command
        from alembic.config import Config
        from alembic.util.exc import CommandError

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise DppctlError(f"the database is not one that this dppctl knows: {error}") from None


def _begin(connection: Connection) -> None:
    """SQLAlchemy's recipe for real transactions, https://docs.sqlalchemy.org/en/latest/dialects/sqlite.html

    IMMEDIATE for one that writes: others wait for it, instead of failing when they would write.
    """
    writes = connection.get_execution_options().get("dppctl_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _use_wal(connection: Any, _record: object) -> None:
    """Readers and the writer do not wait for each other: https://www.sqlite.org/wal.html"""
    connection.isolation_level = None  # no BEGIN but ours
    connection.execute("PRAGMA busy_timeout=20000")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _shown(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "(which is no URL)"
