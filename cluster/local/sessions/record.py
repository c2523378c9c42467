"""The records of sessions: what runs, or is kept running for a while, on this machine.

A session is a folder with a `pod.json`, readable by its user only, for it holds passwords. It names the processes that
own the session; when none of them lives, the session is over, and whoever looks next clears away what they left. At any
time one process writes a record: the command while it runs, then the supervisor.
"""

import dataclasses
import datetime
import json
import os
import shutil
import signal
import string
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cluster.errors import ClusterError
from cluster.limits import SESSION_END_SECONDS, SESSION_MAKING_SECONDS
from cluster.local import processes
from cluster.local.folders import data_dir

Kind = Literal["worker", "db"]

_LETTERS = string.ascii_lowercase + string.digits
_RECORD = "pod.json"
_STOP = "stop"
"""A file of this name in the session's folder, and SIGHUP, ask the supervisor to end this session."""


@dataclass
class Session:
    """One session; `folder` is its own, for anything that should go away with it."""

    name: str
    kind: Kind
    created: str
    owners: list[processes.Identity]
    status: Literal["assigned", "available"] = "assigned"
    pipeline: str = ""
    workload: str = ""
    path: str = ""
    """The folder with dpp and its Python; empty where they are in an image."""
    environment: dict[str, str] = field(default_factory=dict)
    """What a shell in the session needs: DPP_DB_ENGINE and the like."""
    engine: str = ""
    file: str = ""
    """The SQLite file, which outlives the session."""
    urls: dict[str, str] = field(default_factory=dict)
    worker: processes.Identity | None = None
    """What `dppctl stop` ends while pipelines run."""
    supervisor: processes.Identity | None = None
    children: list[processes.Identity] = field(default_factory=list)
    """What has to end when the owners died without ending it."""
    scratch: str = ""
    """A folder elsewhere that goes away with the session."""

    @property
    def folder(self) -> Path:
        return _sessions_folder() / self.name

    @property
    def age(self) -> float:
        """Return the seconds since it was made."""
        return time.time() - datetime.datetime.fromisoformat(self.created).timestamp()

    def update(self, **fields: Any) -> None:
        """Change the record: this object and the file. Raises ClusterError when it cannot be written."""
        for name, value in fields.items():
            if not hasattr(self, name):
                raise AttributeError(name)
            setattr(self, name, value)
        try:
            write_secret(self.folder / _RECORD, json.dumps(dataclasses.asdict(self), indent=1))
        except OSError as error:
            raise ClusterError(f"cannot write in {self.folder}: {error.strerror or error}") from error

    def alive(self) -> bool:
        return any(processes.alive(owner) for owner in self.owners)

    def remove(self) -> None:
        """End what is left of it and remove its files; a SQLite file with tables and the storage stay, for the user."""
        for child in self.children:
            processes.end(child, signal.SIGINT)
        # Not an error when gone: another command may be clearing away the same session.
        if self.file:
            from cluster.local.databases.sqlite_file import tidy  # sqlite3 costs what no run has to spare

            tidy(Path(self.file))
        if self.scratch:
            shutil.rmtree(self.scratch, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def create(
    kind: Kind,
    *,
    pipeline: str = "",
    workload: str = "",
    path: str = "",
    environment: dict[str, str] | None = None,
) -> Session:
    """Make a session, assigned and owned by this process. Raises ClusterError when the folder cannot be written."""
    import secrets  # the supervisor, which stays long, makes no session

    session = Session(
        name=f"dppctl-{kind}-" + "".join(secrets.choice(_LETTERS) for _ in range(12)),
        kind=kind,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        owners=[processes.me()],
        pipeline=pipeline,
        workload=workload,
        path=path,
        environment=environment or {},
    )
    try:
        _sessions_folder().mkdir(parents=True, exist_ok=True)
        session.folder.mkdir(mode=0o700)
    except OSError as error:
        hint = "DPPCTL_DATA_DIR names another folder"
        raise ClusterError(f"cannot write in {_sessions_folder()}: {error.strerror or error}; {hint}") from error
    try:
        session.update()
    except ClusterError:
        session.remove()
        raise
    return session


def load(name: str) -> Session:
    """Return a session by its name. Raises ClusterError, with the names that run, when there is no such session."""
    known = {session.name: session for session in all_sessions()}
    if name not in known:
        from bot.near_names import name_hint

        raise ClusterError(f"no pod '{name}' here; {name_hint(name, known) if known else 'no pod runs'}")
    return known[name]


def all_sessions() -> list[Session]:
    """Return those that live, the oldest first. The others are removed, with what their owners left."""
    if not _sessions_folder().is_dir():
        return []
    found = []
    for folder in _sessions_folder().iterdir():
        session = read(folder.name)
        if session and session.alive():
            found.append(session)
        elif session:
            session.remove()
        elif _older(folder, SESSION_MAKING_SECONDS):
            shutil.rmtree(folder, ignore_errors=True)
    return sorted(found, key=lambda session: (session.created, session.name))


def living_names() -> list[str]:
    """Return the names of those that live, and leave the others as they are."""
    found = (read(folder.name) for folder in _sessions_folder().glob("*"))
    return [session.name for session in found if session and session.alive()]


def read(name: str) -> Session | None:
    """Return the record as it is; None when it does not exist (any more)."""
    try:
        text = (_sessions_folder() / name / _RECORD).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    fields = {known.name for known in dataclasses.fields(Session)}
    return Session(**{name: value for name, value in json.loads(text).items() if name in fields})


def stop(session: Session) -> None:
    """End the session alone: its pipelines, its servers, its record. Returns when all that is gone."""
    processes.end(session.worker, within=SESSION_END_SECONDS)
    if processes.alive(session.supervisor) and session.folder.exists():
        ask_to_end(session)
        processes.send(session.supervisor, signal.SIGHUP)
        until = time.monotonic() + SESSION_END_SECONDS
        while session.folder.exists() and time.monotonic() < until:
            time.sleep(0.02)
    if session.folder.exists():
        processes.end(session.supervisor)
        session.remove()


def ask_to_end(session: Session) -> None:
    """Have the supervisor end the session when it next looks: as soon as the run is over, or a signal comes."""
    with suppress(FileNotFoundError):
        (session.folder / _STOP).touch()


def wanted(name: str) -> bool:
    """Tell whether the session is to go on: it is not gone, and nobody asked to end it."""
    return (_sessions_folder() / name / _RECORD).exists() and not (_sessions_folder() / name / _STOP).exists()


def write_secret(file: Path, text: str) -> None:
    """Write a file as a whole or not at all, and never readable by others."""
    half = file.with_name(f".{file.name}.{os.getpid()}")
    with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
    half.replace(file)


def _sessions_folder() -> Path:
    return data_dir() / "pods"


def _older(folder: Path, age: float) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > age
    except FileNotFoundError:
        return False
