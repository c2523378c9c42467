"""A run's turn at the environment's database: it waits until no other run works on a copy, then makes its own.

`python -m cluster.next_database.begin` is the first of the database's containers in a run's pod. The copy is empty
then; the next container fills it. Runs take turns: of two copies made at a time, the one that is switched to last
would undo the other.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from psycopg import sql

from bot.model.receipt import Receipt
from cluster.errors import ClusterError
from cluster.limits import DATABASE_CLAIM_SECONDS, DATABASE_DEAD_SECONDS, DATABASE_LOOK_SECONDS
from cluster.next_database.databases import (
    Cursor,
    DatabaseAwayError,
    DatabaseError,
    DatabaseNames,
    FoundDatabases,
    NextNote,
    comment,
    drop,
    locked,
    observe,
    server,
)
from cluster.sync.helm.pod_status import NOT_KEPT


@dataclass(frozen=True)
class Wait:
    """Another run has its turn."""

    run: str
    is_alive: bool  # it was seen to live now; if not, for some time


def decide_begin(found: FoundDatabases, names: DatabaseNames, run: str, silent: float) -> Wait | None:
    """Return whom to wait for; None: it is this run's turn. Pure.

    `silent`: seconds that the other run was looked at and had no session.
    """
    there = found.by_name.get(names.next)
    claim = there.claim if there else None
    if claim is None or claim.run == run:
        return None
    is_alive = claim.run in found.alive or found.now < claim.until
    return Wait(claim.run, is_alive) if is_alive or silent < DATABASE_DEAD_SECONDS else None


class NotKeptError(DatabaseError):
    """What is to be gone back to is not kept any more."""


def begin(
    url: str, run: str, seconds: float, tell: Callable[[str], None], job: str = "", *, restores: bool = False
) -> Receipt | None:
    """Wait for the run's turn and make its empty copy.

    Return the receipt of what this Job left before, where that is NAME_previous: then there is nothing to run.
    `restores`: nothing else is wanted. Raises NotKeptError when that is gone, and DatabaseError.
    """
    end = time.monotonic() + seconds
    waits_for, seen = "", time.monotonic()
    while True:
        wait: Wait | None = None
        away: DatabaseAwayError | None = None
        try:
            with server(url, run) as (cursor, names), locked(cursor):
                found = observe(cursor, names)
                wait = decide_begin(found, names, run, time.monotonic() - seen if waits_for else 0.0)
                if wait is None:
                    kept = kept_receipt(found, names, job, restores=restores)
                    if restores and kept is None:
                        raise NotKeptError("what this Job left is not kept any more; nothing ran, and nothing changed")
                    _make(cursor, names, found, run)
                    return kept
        except DatabaseAwayError as error:
            away = error
        else:
            if wait.run != waits_for:
                waits_for, seen = wait.run, time.monotonic()
                tell(f"waits for another run of this environment, which works on its database (pod {wait.run})")
            seen = time.monotonic() if wait.is_alive else seen
        if time.monotonic() > end:
            raise away or DatabaseError(
                f"another run of this environment (pod {waits_for}) has worked on its database for more than "
                f"{seconds:.0f} seconds; nothing was changed: run this again when that has ended "
                "(the value database.turnSeconds)"
            )
        time.sleep(DATABASE_LOOK_SECONDS)


def kept_receipt(found: FoundDatabases, names: DatabaseNames, job: str, *, restores: bool = False) -> Receipt | None:
    """Return the receipt of the previous data, if this Job left it. Pure.

    A Job runs once, so one that runs again after another is gone back to. `restores`: that is what somebody asked for,
    so what is current already is fine too.
    """
    current, previous = (
        there.made if there else None for there in map(found.by_name.get, (names.current, names.previous))
    )
    if current and current.job == job:
        return current.receipt if restores else None
    return previous.receipt if previous and previous.job == job else None


def _make(cursor: Cursor, names: DatabaseNames, found: FoundDatabases, run: str) -> None:
    """Make the empty database of this run, with what belongs to a database and not to its contents."""
    current = found.by_name.get(names.current)
    if current is None:
        raise DatabaseError(
            f"there is no database {names.current} on the server: make it, or set the value database.name to one that "
            "is there"
        )
    drop(cursor, names.dropped)  # what a switch that was killed left
    drop(cursor, names.next)
    ((owner, encoding, collate, ctype),) = cursor.execute(
        "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database"
        " WHERE oid = %s",
        [current.oid],
    ).fetchall()
    made = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}")
    cursor.execute(
        made.format(sql.Identifier(names.next), sql.Identifier(owner), *map(sql.Literal, (encoding, collate, ctype)))
    )
    # Without this comment, as after a kill here, the database is nobody's.
    note = NextNote(run=run, copied=current.oid, until=found.now + DATABASE_CLAIM_SECONDS)
    comment(cursor, names.next, note.model_dump_json())


def main() -> None:
    """Do it as the chart's container does."""
    parser = argparse.ArgumentParser(prog="cluster.next_database.begin", description="Makes a run's empty database.")
    parser.add_argument("--run", required=True, help="the uid of this pod")
    parser.add_argument("--wait", type=float, required=True, help="seconds to wait for other runs")
    parser.add_argument("--job", default="", help="the name of its Job; what it left before is gone back to")
    parser.add_argument("--kept", type=Path, help="where to write the receipt of that; it stands for the run then")
    options = parser.parse_args()
    url, tell = os.environ["DPP_DB_ENGINE"], partial(print, flush=True)
    restores = bool(options.kept and os.environ.get("DPPCTL_RESTORES"))
    try:
        kept = begin(url, options.run, options.wait, tell, options.job, restores=restores)
        if kept and options.kept:
            options.kept.write_text(kept.model_dump_json())
            tell("what this Job left before is still there, so it is gone back to and nothing runs")
    except NotKeptError as error:
        tell(str(error))
        sys.exit(NOT_KEPT)
    except ClusterError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
