"""Where the big job's rows go: a database for each run, empty at its start, counted at its end."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.job import ROWS, table_of
from cluster.local.databases import postgres

COUNT = " UNION ALL ".join(f"SELECT count(*) FROM {table_of(name)}" for name in ROWS)


class Sqlite:
    """A new file for each run; in the page cache, as on a laptop."""

    shown = "sqlite:///FILE"

    def __init__(self, folder: Path) -> None:
        self._file = folder / "job.sqlite"

    def fresh(self) -> str:
        self._file.unlink(missing_ok=True)
        return f"sqlite:///{self._file}"

    def rows(self) -> int:
        with sqlite3.connect(self._file) as connection:
            return sum(number for (number,) in connection.execute(COUNT))


class Postgres:
    """One private server for all runs; its tables are dropped between them."""

    shown = "postgresql://…"

    def __init__(self, server: postgres.Server) -> None:
        self._url = f"postgresql://{postgres.USER}:{server.password}@127.0.0.1:{server.port}/postgres"

    def fresh(self) -> str:
        import psycopg

        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
            connection.execute("CHECKPOINT")
        return self._url

    def rows(self) -> int:
        import psycopg

        with psycopg.connect(self._url) as connection:
            return sum(number for (number,) in connection.execute(COUNT))


@contextmanager
def open_postgres(folder: Path) -> Iterator[Postgres | None]:
    """Start a private PostgreSQL; None where it isn't installed."""
    if postgres.binaries() is None:
        yield None
        return
    data = postgres.scratch(folder)
    try:
        server = postgres.start(data)
        try:
            yield Postgres(server)
        finally:
            server.stop()
    finally:
        shutil.rmtree(data)
