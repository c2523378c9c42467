"""The database that an environment of this machine has now, opened to be read and never written."""

import sqlite3
import stat
from contextlib import closing, suppress
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from bot.errors import DppctlError
from bot.model.name_types import Environment
from bot.model.names import RepoPath
from cluster.limits import DATA_TABLES
from cluster.sync.local.environment import LocalEnvironment

DATA_PATH = "/data/"
TOKEN_VARIABLE = "DPPCTL_DATA_TOKEN"  # noqa: S105 (its name)
TOKEN_HEADER = "X-Dppctl-Data-Token"  # noqa: S105 (its name)
_ENVIRONMENT: TypeAdapter[str] = TypeAdapter(Environment)


def named_environment(environments: Path, app: str, environment: str) -> LocalEnvironment | None:
    """Return an environment of this machine by names that may come from anybody; None: they are no names of one."""
    try:
        folder = environments / RepoPath.parse(app).slug / _ENVIRONMENT.validate_python(environment)
    except (DppctlError, ValidationError):
        return None
    return LocalEnvironment(folder)


def current_database(environments: Path, app: str, environment: str) -> Path | None:
    """Return the file of an environment's database as it is now; None: there is none, or no such environment.

    What pipelines put in the place of the file, such as a link, is not opened.
    """
    found = named_environment(environments, app, environment)
    release = found.current() if found else None
    if release is None:
        return None
    with suppress(OSError):
        if stat.S_ISREG(release.work_database.lstat().st_mode):
            return release.work_database
    return None


def open_database(file: Path) -> sqlite3.Connection:
    """Open a database of a release that has ended, which nobody writes any more: https://www.sqlite.org/uri.html.

    Where its pipelines left a write-ahead log, what is in that counts too.
    """
    has_log = any(Path(f"{file}{end}").exists() for end in ("-wal", "-journal"))
    mode = "mode=ro" if has_log else "mode=ro&immutable=1"
    connection = sqlite3.connect(f"file:{quote(str(file))}?{mode}", uri=True, check_same_thread=False)
    connection.execute("PRAGMA query_only=1")
    connection.execute("PRAGMA trusted_schema=0")
    with suppress(sqlite3.DatabaseError):  # who asks more of it is told
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()  # now it is open, and stays what it is
    return connection


def environment_tables(environments: Path, app: str, environment: str) -> tuple[str, ...]:
    """Return the names of the tables and views that an environment's database has now, at most DATA_TABLES of them."""
    file = current_database(environments, app, environment)
    return _tables(file) if file else ()


@lru_cache(maxsize=1000)
def _tables(file: Path) -> tuple[str, ...]:
    """Return those of a release's database, which never change."""
    wanted = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    try:
        with closing(open_database(file)) as connection:
            found = connection.execute(f"{wanted} ORDER BY name LIMIT ?", [DATA_TABLES]).fetchall()
    except sqlite3.Error:  # no database, whatever its pipelines wrote there: it has no tables
        return ()
    return tuple(name for (name,) in found)
