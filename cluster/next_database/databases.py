"""The databases of an environment on the chart's own PostgreSQL, and what is written down with them.

NAME is current: people read it. A run writes to NAME_next; NAME_previous is what the deployment before left. What is
known of a database is its comment, so that it goes with it when it is renamed, and there is no other state.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from pydantic import BaseModel, ConfigDict, ValidationError

from bot.model.receipt import Receipt
from cluster.errors import ClusterError
from cluster.limits import DATABASE_CONNECT_SECONDS

# https://www.postgresql.org/docs/current/sql-syntax-lexical.html: a name has 63 bytes; the chart cuts it the same way.
_NAME_CHARACTERS = 54
# What a session of a run calls itself, so that others see that the run is alive. The chart and the worker say it too.
APPLICATION = "dppctl run "
LOCK = 0x64707063746C  # "dppctl": whoever looks at these databases to change them holds this advisory lock

# A node that is gone says no goodbye: its sessions end a minute later, with their locks. The chart and the worker do so
# too. https://www.postgresql.org/docs/current/runtime-config-connection.html#RUNTIME-CONFIG-TCP-SETTINGS
_KEEPALIVES = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"

Cursor = psycopg.Cursor[tuple[Any, ...]]


class DatabaseError(ClusterError):
    """What is wrong with the databases, or keeps a run from them; the message is for people."""


class DatabaseAwayError(DatabaseError):
    """The server does not answer."""


@dataclass(frozen=True)
class DatabaseNames:
    """The names of an environment's databases."""

    current: str

    @property
    def next(self) -> str:
        """Return the name of what a run writes to."""
        return f"{self.current[:_NAME_CHARACTERS]}_next"

    @property
    def previous(self) -> str:
        """Return the name of what the deployment before left."""
        return f"{self.current[:_NAME_CHARACTERS]}_previous"

    @property
    def dropped(self) -> str:
        """Return the name of what nobody needs any more, until it is gone."""
        return f"{self.current[:_NAME_CHARACTERS]}_dropped"


class _Note(BaseModel):
    model_config = ConfigDict(frozen=True)

    run: str  # the uid of its pod


_NoteT = TypeVar("_NoteT", bound=_Note)


class NextNote(_Note):
    """Whose the database NAME_next is.

    copied: the oid of the current database that it is a copy of; until: a time of the server's clock, before which the
    run counts as alive though it has no session, as between two containers.
    """

    copied: int
    until: float


class DataNote(_Note):
    """What made the data of a database: a run of this deployment's Job, and the receipt of all that is in it.

    A run by the clock after it changes the run and the receipt. deployment: its number, where sync knows it.
    """

    job: str
    receipt: Receipt
    deployment: int | None = None


@dataclass(frozen=True)
class FoundDatabase:
    """A database that is there."""

    oid: int
    comment: str

    @property
    def claim(self) -> NextNote | None:
        """Return whose it is; None: nobody's any more."""
        return _read(NextNote, self.comment)

    @property
    def made(self) -> DataNote | None:
        """Return what made its data; None: that is not known, as of data from before this was written down."""
        return _read(DataNote, self.comment)


@dataclass(frozen=True)
class FoundDatabases:
    """What the server has, by name; the runs that have a session; the server's clock."""

    by_name: Mapping[str, FoundDatabase]
    alive: frozenset[str]
    now: float


def observe(cursor: Cursor, names: DatabaseNames) -> FoundDatabases:
    """Return which of these databases there are, and which runs live. Raises psycopg.Error."""
    wanted = [names.current, names.next, names.previous, names.dropped]
    found = cursor.execute(
        "SELECT datname, oid, coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database"
        " WHERE datname = ANY (%s)",
        [wanted],
    ).fetchall()
    sessions = cursor.execute(
        "SELECT DISTINCT substr(application_name, %s) FROM pg_stat_activity"
        " WHERE starts_with(application_name, %s) AND pid <> pg_backend_pid()",
        [len(APPLICATION) + 1, APPLICATION],
    ).fetchall()
    clock = cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchall()
    by_name = {name: FoundDatabase(oid, comment) for name, oid, comment in found}
    return FoundDatabases(by_name, frozenset(run for (run,) in sessions), clock[0][0])


@contextmanager
def server(url: str, run: str) -> Iterator[tuple[Cursor, DatabaseNames]]:
    """Connect to the server of a URL, beside the database that it names, and give a cursor and the databases' names.

    Each statement is by itself. Raises DatabaseAwayError when it does not answer, DatabaseError for what it refuses.
    """
    name = database_of(url)
    try:
        # The session must not be in a database that is renamed.
        beside = "template1" if name == "postgres" else "postgres"
        connection = psycopg.connect(
            url,
            dbname=beside,
            autocommit=True,
            application_name=APPLICATION + run,
            connect_timeout=int(DATABASE_CONNECT_SECONDS),
            options=_KEEPALIVES,
        )
    except psycopg.OperationalError as error:
        raise DatabaseAwayError(f"the database's server does not take the connection: {_line(error)}") from error
    with connection, connection.cursor() as cursor:
        try:
            yield cursor, DatabaseNames(name)
        except psycopg.Error as error:
            raise DatabaseError(f"PostgreSQL: {_line(error)}") from error


@contextmanager
def locked(cursor: Cursor) -> Iterator[None]:
    """Keep others that change these databases out, as long as the block; a session that is gone holds nothing."""
    cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
    try:
        yield
    finally:
        if not cursor.connection.broken:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def comment(cursor: Cursor, name: str, text: str) -> None:
    """Write the comment of a database."""
    cursor.execute(statement("COMMENT ON DATABASE {} IS {}", name, sql.Literal(text)))


def drop(cursor: Cursor, name: str) -> None:
    """Remove a database, whoever is connected to it; there may be none."""
    cursor.execute(statement("DROP DATABASE IF EXISTS {} WITH (FORCE)", name))


def statement(text: LiteralString, database: str, *more: sql.Composable) -> sql.Composed:
    """Return a statement about a database, which has no place for parameters."""
    return sql.SQL(text).format(sql.Identifier(database), *more)


def release(cursor: Cursor, names: DatabaseNames, run: str) -> None:
    """Have the run's turn end; what it wrote stays to look at until the next run. Of another run nothing is changed."""
    there = observe(cursor, names).by_name.get(names.next)
    if there and there.claim and there.claim.run == run:
        comment(cursor, names.next, "")


def database_of(url: str) -> str:
    """Return the name of a URL's database."""
    return str(conninfo_to_dict(url).get("dbname") or "")


def _read(kind: type[_NoteT], text: str) -> _NoteT | None:
    try:
        return kind.model_validate_json(text)
    except ValidationError:
        return None


def _line(error: psycopg.Error) -> str:
    return " ".join(str(error).split())
