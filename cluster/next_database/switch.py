"""Makes a run's database the current one, or goes back to the previous one, in one transaction.

People's connections end for a moment: a database cannot be renamed while somebody is in it, and the rename holds a lock
that keeps new ones waiting. A kill at any step leaves what was, or all of what is new.
https://www.postgresql.org/docs/current/sql-alterdatabase.html
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql

from cluster.limits import DATABASE_SWITCH_TRIES, DATABASE_TERMINATE_SECONDS
from cluster.next_database.databases import (
    Cursor,
    DatabaseError,
    DatabaseNames,
    DataNote,
    FoundDatabases,
    drop,
    observe,
    statement,
)

Renames = Sequence[tuple[str, str]]


def switch(
    cursor: Cursor,
    names: DatabaseNames,
    note: DataNote,
    *,
    keeps_previous: bool,
    before_commit: Callable[[], None] = lambda: None,
) -> None:
    """Make NAME_next current, with the note about what made it. The caller has the lock.

    `keeps_previous`: of a run by the clock: what the deployment before left stays, and what was current goes.
    `before_commit`: what becomes current with it; when it raises nothing changed. Once more for a run that is current
    already does nothing. Raises DatabaseError when another run came between.
    """
    found = observe(cursor, names)
    check_turn(found, names, note.run)
    current = found.by_name.get(names.current)
    if current and current.made and current.made.run == note.run:
        drop(cursor, names.dropped)  # a kill came between the commit and this
        return
    drop(cursor, names.dropped)
    renames: list[tuple[str, str]] = []
    if not keeps_previous and names.previous in found.by_name:
        renames.append((names.previous, names.dropped))
    renames += [(names.current, names.dropped if keeps_previous else names.previous), (names.next, names.current)]
    closed = None if keeps_previous else names.current
    _rename(cursor, renames, {names.next: note.model_dump_json()}, closed=closed, before_commit=before_commit)
    drop(cursor, names.dropped)


def check_turn(found: FoundDatabases, names: DatabaseNames, run: str) -> None:
    """Raise DatabaseError when NAME_next is not the run's, or what it is a copy of is not current any more."""
    current, there = found.by_name.get(names.current), found.by_name.get(names.next)
    if current and current.made and current.made.run == run:
        return
    claim = there.claim if there else None
    if claim is None or claim.run != run:
        other = f" (pod {claim.run})" if claim else ""
        raise DatabaseError(
            f"another run{other} took the turn at the database, as this one showed no life for too long; the data "
            "stays as it was: run it again"
        )
    if current is None or current.oid != claim.copied:
        raise DatabaseError(
            f"database {names.current} was replaced by another while this ran on a copy of it; what is there now "
            "stays: run it again"
        )


def switch_back(cursor: Cursor, names: DatabaseNames, job: str) -> DataNote:
    """Make NAME_previous current again, which was made by this Job; what is current becomes previous. Return its note.

    Where it is current already nothing is done. The caller has the lock. Raises DatabaseError when it is gone.
    """
    found = observe(cursor, names)
    current, previous = found.by_name.get(names.current), found.by_name.get(names.previous)
    if current and current.made and current.made.job == job:
        return current.made
    made = previous.made if previous else None
    if made is None or made.job != job:
        raise DatabaseError("the data to go back to is not kept any more; a deployment of that commit makes it again")
    drop(cursor, names.dropped)
    renames = [
        (names.current, names.dropped),
        (names.previous, names.current),
        (names.dropped, names.previous),
    ]
    _rename(cursor, renames, {}, closed=names.current, opened=names.previous)
    return made


def _rename(
    cursor: Cursor,
    renames: Renames,
    comments: Mapping[str, str],
    *,
    closed: str | None,
    opened: str | None = None,
    before_commit: Callable[[], None] = lambda: None,
) -> None:
    """Do all of it in one transaction; `closed`: a database that nobody is to connect to any more, `opened`: again.

    Raises DatabaseError when people come back faster than they can be sent away.
    """
    statements = [
        *(statement("COMMENT ON DATABASE {} IS {}", name, sql.Literal(text)) for name, text in comments.items()),
        *(statement("ALTER DATABASE {} ALLOW_CONNECTIONS true", name) for name in [opened] if name),
        *(statement("ALTER DATABASE {} ALLOW_CONNECTIONS false", name) for name in [closed] if name),
        *(statement("ALTER DATABASE {} RENAME TO {}", before, sql.Identifier(after)) for before, after in renames),
    ]
    connection = cursor.connection
    for tries_left in reversed(range(DATABASE_SWITCH_TRIES)):
        try:
            with _sent_away(connection, [name for name, _ in renames]), connection.transaction():
                for text in statements:
                    cursor.execute(text)
                before_commit()
            return
        except psycopg.errors.ObjectInUse as error:
            if not tries_left:
                raise DatabaseError(
                    f"somebody is connected to the database again and again, so that it cannot be switched: {error}"
                ) from error


@contextmanager
def _sent_away(connection: psycopg.Connection[tuple[object, ...]], names: Sequence[str]) -> Iterator[None]:
    """End the sessions of these databases, again and again as long as the block.

    A rename waits up to five seconds until nobody is in its database, and lets nobody new in meanwhile; whoever came
    before its lock is ended from a connection beside it.
    """
    ended = threading.Event()
    with psycopg.connect(connection.info.dsn, password=connection.info.password, autocommit=True) as beside:

        def send_away() -> None:
            while True:
                beside.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY (%s)", [list(names)]
                )
                if ended.wait(DATABASE_TERMINATE_SECONDS):
                    return

        thread = threading.Thread(target=send_away, name="sessions", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
