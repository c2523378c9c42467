"""A SQLite file of a run: the user's from the first table on; until then it is only in the way."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from cluster.limits import SQLITE_BUSY_SECONDS


def tidy(file: Path) -> None:
    """Leave the user one file, or none when nothing was ever put into it.

    The last writer that closes it takes SQLite's write-ahead log in. The file may be gone, or in use, and then the last
    of its users does that.
    """
    if not file.exists():
        return
    try:
        if is_untouched(file):
            remove(file)
            return
        with closing(sqlite3.connect(file, timeout=SQLITE_BUSY_SECONDS)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except (OSError, sqlite3.Error) as error:
        print(f"{file} keeps its write-ahead log: {error}", file=sys.stderr)


def is_untouched(file: Path) -> bool:
    """Tell whether there never was a table in it, and nobody is about to make one. Raises sqlite3.Error."""
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", timeout=0, uri=True)) as connection:
        # https://sqlite.org/pragma.html#pragma_schema_version: it counts the changes of the schema
        version: int = connection.execute("PRAGMA schema_version").fetchone()[0]
        if version:
            return False
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:  # somebody writes
            return False
        return True


def remove(file: Path) -> None:
    """Remove the file with what SQLite keeps beside it. Raises OSError."""
    for beside in ("", "-wal", "-shm", "-journal"):
        file.with_name(file.name + beside).unlink(missing_ok=True)
