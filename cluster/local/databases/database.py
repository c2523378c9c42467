"""The databases that a run can have: a SQLite file, a private PostgreSQL server, or one that has a URL.

SQLAlchemy is not imported here: a run with SQLite does without, and a URL is tried with the drivers of dpp's
own environment.
"""

import os
import re
import shlex
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bot import process
from cluster.errors import ClusterError
from cluster.limits import DATABASE_CONNECT_SECONDS
from cluster.local.databases import postgres
from cluster.local.folders import data_dir
from cluster.local.sessions.record import Session

KINDS = ("sqlite", "postgres")
CHOICES = "sqlite, postgres or a SQLAlchemy URL like postgresql://user:password@host:5432/name"

_TRY = Path(__file__).with_name("try_engine.py")
_URL = re.compile(r"[a-z][a-z0-9_]*(\+[a-z0-9_]+)?://\S*", re.IGNORECASE | re.ASCII)
_SECRET_PARAMETERS = re.compile(r"([?&][^=&]*(?:password|passwd|pwd|secret|token)[^=&]*=)[^&#]+", re.IGNORECASE)


@dataclass(frozen=True)
class RunDatabase:
    """What a run writes into, and how people look at it. `engine` and `password` are secrets."""

    kind: str
    engine: str
    file: Path | None = None
    server: str = ""
    username: str = ""
    password: str = ""
    web_ui: str | None = None
    client: str | None = None

    @property
    def system(self) -> str:
        """Return its name as people say it."""
        return {"sqlite": "SQLite", "postgres": "PostgreSQL"}.get(self.kind) or urlsplit(self.engine).scheme

    def describe(self) -> list[str]:
        """Return the lines that tell the user where the data is."""
        if self.kind == "url":
            return [f"DB: {masked(self.engine)}"]
        lines = [f"DB Web UI is available at {self.web_ui}"] if self.web_ui else []
        if self.kind == "sqlite":
            return [*lines, f"System: {self.system}, File: {self.file} (stays when the pod ends)"]
        login = f"Server: {self.server}, Username: {self.username}, Password: {self.password}"
        lines = lines or [f"Open the DB with: {self.client}"]
        return [*lines, f"System: {self.system}, {login} (its data goes away when the pod ends)"]


def parse_database(text: str) -> str:
    """Return what `--db` says: one of KINDS, or the URL itself.

    Raises ClusterError for anything else, and when it says `postgres` and none is installed.
    """
    if text == "postgres" and postgres.binaries() is None:
        raise ClusterError(f"{postgres.MISSING}, or use --db sqlite or a database's URL")
    if text in KINDS:
        return text
    if not _URL.fullmatch(text):
        named = "what --db says" if "@" in text else f"'{text}'"  # it may hold a password all the same
        raise ClusterError(f"{named} is no database; choose {CHOICES}")
    try:
        _ = urlsplit(text).port
    except ValueError:
        # Its text may hold a part of the password.
        hint = "the port must be a number, and a password's special characters be written like %40"
        raise ClusterError(f"the database URL {masked(text)} is malformed: {hint}") from None
    return text


def check_database(url: str, python: Path, folder: Path) -> None:
    """Connect to a database once, as the pipelines will: with their Python and drivers, in their folder.

    Raises ClusterError with the database's reason, the password masked, when it refuses or does not answer.
    """
    command = [str(python), "-P", str(_TRY)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DPPCTL_")}
    try:
        ended = process.run(
            command,
            environment=environment,
            folder=folder,
            stdin=url,
            seconds=DATABASE_CONNECT_SECONDS,
            separate=True,
        )
        reason = " ".join((ended.out or ended.text.strip().rpartition("\n")[2]).split())
    except process.TimeLimitError:
        reason = f"no answer within {DATABASE_CONNECT_SECONDS:.0f} s"
    else:
        if ended.code == 0:
            return
    raise ClusterError(f"the database {masked(url)} refuses: {_without_password(reason, url)}")


def masked(url: str) -> str:
    """Return the URL as it may be printed."""
    return _SECRET_PARAMETERS.sub(r"\1***", re.sub(r"(?s)(://[^:/@]*:).*(@)", r"\1***\2", url))


def database_of(session: Session, password: str = "", port: int = 0) -> RunDatabase:
    """Return the database of a session that was just set up; with PostgreSQL its port and its user's password."""
    if session.file:
        return RunDatabase(
            "sqlite", sqlite_engine(Path(session.file)), Path(session.file), web_ui=session.urls.get("web_ui")
        )
    passfile = session.folder / "pgpass"
    return RunDatabase(
        "postgres",
        f"postgresql://{postgres.USER}:{password}@127.0.0.1:{port}/postgres",
        server=f"127.0.0.1:{port}",
        username=postgres.USER,
        password=password,
        web_ui=session.urls.get("web_ui"),
        client=f"PGPASSFILE={shlex.quote(str(passfile))} psql -h 127.0.0.1 -p {port} -U {postgres.USER}",
    )


def sqlite_engine(file: Path) -> str:
    """Return the URL of a file. Several processors may write at once: they wait for each other up to a minute."""
    return f"sqlite:///{file}?timeout=60"


def create_sqlite(name: str) -> Path:
    """Make a file in the folder of databases, in WAL mode so that one can read while another writes.

    https://sqlite.org/wal.html. Raises ClusterError when it cannot be written.
    """
    file = data_dir() / "databases" / f"{name}.sqlite"
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
        connection = sqlite3.connect(file)
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
        finally:
            connection.close()
    except (OSError, sqlite3.Error) as error:
        raise ClusterError(f"cannot make the database {file}: {getattr(error, 'strerror', None) or error}") from error
    return file


def _without_password(text: str, url: str) -> str:
    try:
        password = urlsplit(url).password
    except ValueError:
        password = None
    for secret in sorted({password or "", unquote(password or "")}, key=len, reverse=True):
        # A shorter password would garble the reason.
        text = text.replace(secret, "***") if len(secret) > 3 else text
    return masked(text)
