"""The command's side of the supervisor: it starts one for a run, and lets go of it when the run is over.

The command holds a pipe to it: closing that says that the run is over, so a command that was killed has nothing
to say.
"""

import json
import subprocess
import sys
from contextlib import suppress

from cluster.errors import ClusterError
from cluster.limits import SESSION_END_SECONDS, SUPERVISOR_END_SECONDS
from cluster.local import processes
from cluster.local.databases import postgres
from cluster.local.databases.database import RunDatabase, create_sqlite, database_of
from cluster.local.sessions import record
from cluster.local.sessions.record import Session


class Supervisor:
    """The command's end of the pipe."""

    def __init__(
        self, process: subprocess.Popen[bytes], database: RunDatabase, storage_url: str, sessions: list[Session]
    ) -> None:
        self._process = process
        self._sessions = sessions
        self.database = database
        self.storage_url = storage_url

    def release(self) -> None:
        """Say that the run is over: the sessions are available and the keep time starts.

        Without a keep time, it returns when all has ended. Another call does nothing.
        """
        if self._process.stdin and self._process.stdout and not self._process.stdout.closed:
            self._process.stdin.close()
            self._process.stdout.read()  # to its end: the supervisor closes it when the records say so
            self._process.stdout.close()

    def discard(self) -> None:
        """Say that there was no run: the sessions end at once. Returns when they have."""
        for session in self._sessions:
            record.ask_to_end(session)
        self.release()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(SESSION_END_SECONDS)


def start(worker: Session, database: str, db: Session | None, keep: float) -> Supervisor:
    """Start a supervisor for a run's sessions, and set up the database.

    `database` is what `parse_database` gave; there is no `db` for a URL; `keep` counts seconds.
    Returns when everything answers. Raises ClusterError with one reason; the sessions are gone then.
    """
    sessions = [session for session in (worker, db) if session]
    process = None
    try:
        if db and database == "sqlite":
            db.update(file=str(create_sqlite(db.name)))
        elif db:
            db.update(scratch=str(postgres.scratch(db.folder)))
        with open(worker.folder / "supervisor.log", "ab") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "cluster.local.sessions.supervisor_process",
                    worker.name,
                    db.name if db else "",
                    str(keep),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        supervisor = processes.identity(process.pid)
        for session in sessions:
            session.update(owners=[processes.me(), supervisor], supervisor=supervisor)
        return _greet(process, sessions, database, db)
    except BaseException as error:
        if process:
            processes.end(processes.identity(process.pid), within=SUPERVISOR_END_SECONDS)
            process.wait()
        for session in sessions:
            session.remove()
        if isinstance(error, OSError):
            raise ClusterError(f"the pods cannot be set up: {error}") from error
        raise


def _greet(process: subprocess.Popen[bytes], sessions: list[Session], database: str, db: Session | None) -> Supervisor:
    worker = sessions[0]
    line = process.stdout.readline() if process.stdout else b""
    if not line:
        log = (worker.folder / "supervisor.log").read_text(encoding="utf-8", errors="replace").strip()
        raise ClusterError(f"the supervisor of the pods ended at once: {log.rpartition(chr(10))[2]}")
    facts = json.loads(line)
    if "error" in facts:
        raise ClusterError(facts["error"])
    worker.update(urls={"storage": facts["storage"]})
    if db is None:
        return Supervisor(process, RunDatabase("url", database), facts["storage"], sessions)
    db.update(urls=facts["urls"], children=facts["children"])
    found = database_of(db, facts["password"], facts["port"])
    if found.password:
        record.write_secret(db.folder / "pgpass", f"{found.server}:*:{found.username}:{found.password}\n")
    db.update(engine=found.engine)
    return Supervisor(process, found, facts["storage"], sessions)
