"""Databases of an environment on a real PostgreSQL, and runs that work on them: for `cluster.next_database`."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.model.receipt import PipelineResult, Receipt, ResourceResult
from cluster.next_database import begin
from cluster.next_database.databases import DataNote, FoundDatabases, database_of, locked, observe, release, server
from cluster.next_database.finish import ExpectationsFile, FinishedRun, finish
from cluster.next_database.switch import switch, switch_back
from cluster.publisher.engines.folder import FolderEngine
from cluster.publisher.staged import StagedTargets

# Their parent has imported this module once, runs no thread, and ends with the process of the tests.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([__name__])

BEFORE_THE_POINTER, AFTER_THE_POINTER = -1, -2  # instead of a statement's number: where `do_killed` kills


def receipt_of(rows: int) -> Receipt:
    """What a run of one pipeline left."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    numbers = ResourceResult(name="numbers", rows=rows)
    made = PipelineResult(id="./load", status="succeeded", rows=rows, resources=(numbers,))
    return Receipt(status="succeeded", pipelines=(made,), started=now, ended=now)


@dataclass(frozen=True)
class EnvironmentDatabase:
    """The databases by the URL of the current one."""

    url: str

    def sql(self, text: str, database: str = "", **options: Any) -> list[tuple[Any, ...]]:
        """Do it in one of the databases, by default the current one, and return the rows."""
        name = database or database_of(self.url)
        with psycopg.connect(self.url, dbname=name, autocommit=True, **options) as connection:
            cursor = connection.execute(text.encode())
            return cursor.fetchall() if cursor.description else []

    def session(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection of somebody's with the current database."""
        return psycopg.connect(self.url, autocommit=True)

    def numbers(self, database: str = "") -> list[int]:
        """What people read."""
        return [number for (number,) in self.sql("SELECT number FROM numbers ORDER BY number", database)]

    def observe(self) -> FoundDatabases:
        """What the server has."""
        with server(self.url, "test") as (cursor, names):
            return observe(cursor, names)

    def begin(self, run: str, seconds: float = 0.0) -> list[str]:
        """Take the turn; what was told meanwhile."""
        told: list[str] = []
        begin.begin(self.url, run, seconds, told.append)
        return told

    def begin_kept(self, run: str, job: str, *, restores: bool = False) -> Receipt | None:
        """Take the turn for a Job that runs again; the receipt of what it left before, if that is there."""
        return begin.begin(self.url, run, 0.0, lambda _: None, job, restores=restores)

    def finish(self, run: str, staged: str, storage: str) -> None:
        """Check the run's data and take it, with what its pipelines staged for a storage's folder."""
        self.finish_to(run, StagedTargets(Path(staged), [storage]))

    def finish_to(self, run: str, places: StagedTargets) -> None:
        """Do the same, to these places."""
        ended = FinishedRun(run, f"job-{run}", receipt_of(1), is_scheduled=False)
        finish(self.url, ended, ExpectationsFile(), places)

    def give_back(self, run: str) -> None:
        """End the run's turn, as if it had shown no life for long."""
        with server(self.url, "test") as (cursor, names):
            release(cursor, names, run)

    def work(self, *numbers: int) -> None:
        """Write what a run's pipelines would."""
        next_name = f"{database_of(self.url)}_next"
        values = ", ".join(f"({number})" for number in numbers)
        self.sql(f"CREATE TABLE numbers (number integer); INSERT INTO numbers VALUES {values}", next_name)

    def switch(self, run: str, job: str = "", *, keeps_previous: bool = False, rows: int = 1) -> None:
        """Make the run's database current."""
        note = DataNote(run=run, job=job or f"job-{run}", receipt=receipt_of(rows))
        with server(self.url, run) as (cursor, names), locked(cursor):
            switch(cursor, names, note, keeps_previous=keeps_previous)

    def switch_back(self, job: str) -> DataNote:
        """Make what the Job left current again."""
        with server(self.url, "back") as (cursor, names), locked(cursor):
            return switch_back(cursor, names, job)

    def deploy(self, run: str, *numbers: int, keeps_previous: bool = False) -> None:
        """A whole run."""
        self.begin(run)
        self.work(*numbers)
        self.switch(run, keeps_previous=keeps_previous)

    def do(self, what: str, *arguments: str) -> None:
        """Do one of these by its name."""
        getattr(self, what)(*arguments)

    def do_killed(self, step: int, what: str, *arguments: str) -> bool:
        """Do it in a process that is killed before its statement of this number. Return whether it was."""
        process = _FORKS.Process(target=_do_until, args=(self.url, step, what, arguments))
        process.start()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)  # else it has told why
        return process.exitcode != 0


def _do_until(url: str, step: int, what: str, arguments: tuple[str, ...]) -> None:
    """Kill this process, which is there for nothing else, at that step."""
    left = step
    execute, write = psycopg.Cursor.execute, FolderEngine.write

    def counted(self: Any, query: Any, *more: Any, **options: Any) -> Any:
        nonlocal left
        if "pg_terminate_backend" not in (query if isinstance(query, str) else query.as_string(self)):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
        return execute(self, query, *more, **options)

    async def killing(self: Any, path: str, content: Any) -> None:
        if step == AFTER_THE_POINTER:
            await write(self, path, content)
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        if step >= 0:
            patch.setattr(psycopg.Cursor, "execute", counted)
        else:
            patch.setattr(FolderEngine, "write", killing)
        EnvironmentDatabase(url).do(what, *arguments)


@contextmanager
def environment_database(server_url: str, name: str = "pipelines") -> Iterator[EnvironmentDatabase]:
    """Give the databases of an environment that has nothing yet; afterwards nothing of them is left on the server.

    `server_url`: SQLAlchemy's, to which `/DATABASE` is added. Nobody else has databases there meanwhile.
    """
    url = server_url.replace("+psycopg", "")
    with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield EnvironmentDatabase(f"{url}/{name}")
        finally:
            made = "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'"
            for (database,) in connection.execute(made).fetchall():
                connection.execute(f'DROP DATABASE "{database}" WITH (FORCE)'.encode())
            others = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            connection.execute(f"{others} AND backend_type = 'client backend'".encode())
            for (role,) in connection.execute("SELECT rolname FROM pg_roles WHERE oid >= 16384").fetchall():
                connection.execute(f'DROP ROLE "{role}"'.encode())
