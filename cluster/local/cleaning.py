"""What dppctl keeps on this machine and nobody needs any more: found by `old`, removed one by one.

Never what a pod uses, nor what `dppctl up` deployed: that has a folder of its own. An environment that is removed
is made again by the next run that needs it; databases and published data are gone.
"""

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cluster.limits import ENVIRONMENT_IN_USE_SECONDS, SESSION_MAKING_SECONDS
from cluster.local.databases import sqlite_file
from cluster.local.folders import cache_dir, data_dir
from cluster.local.sessions import record
from cluster.local.workers import kept_environments

Kind = Literal["database", "empty database", "published data", "environment", "left-over"]


@dataclass(frozen=True)
class Removable:
    """A file or folder that may go."""

    kind: Kind
    path: Path
    age: float  # seconds since it was last changed or, of an environment, used
    environment: kept_environments.KeptEnvironment | None = None

    @property
    def size(self) -> int:
        """Return its bytes on the disk, those that it shares with others not counted."""
        paths = [self.path, *self.path.rglob("*")] if self.path.is_dir() else [self.path]
        size = 0
        for path in paths:
            with suppress(OSError):
                status = path.lstat()
                size += status.st_blocks * 512 if path == self.path or status.st_nlink == 1 else 0
        return size

    def remove(self) -> None:
        """Remove it. Raises OSError."""
        if self.environment:
            kept_environments.remove_environment(self.environment)
        elif self.path.is_dir():
            shutil.rmtree(self.path)
        elif self.kind == "left-over":
            self.path.unlink(missing_ok=True)
        else:
            sqlite_file.remove(self.path)


def old(seconds: float) -> list[Removable]:
    """Return what nobody changed or used for so long, and what was never used, the oldest first.

    Raises ClusterError when a pod's record cannot be read.
    """
    sessions = record.all_sessions()
    names = {session.name for session in sessions}
    now = time.time()
    found = [*_databases(names, seconds, now), *_published(names, seconds, now)]
    found += _environments([Path(session.path) for session in sessions if session.path], seconds, now)
    return sorted(found, key=lambda removable: (-removable.age, removable.path))


def _databases(sessions: set[str], seconds: float, now: float) -> Iterator[Removable]:
    for file in (data_dir() / "databases").glob("*.sqlite"):
        if file.stem in sessions:
            continue
        age = min(_age(path, now) for path in (file, file.with_name(f"{file.name}-wal")) if path.exists())
        try:
            untouched = age > SESSION_MAKING_SECONDS and sqlite_file.is_untouched(file)
        except sqlite3.Error:  # no database, or in use: it goes by its age alone
            untouched = False
        if untouched or age > seconds:
            yield Removable("empty database" if untouched else "database", file, age)


def _published(sessions: set[str], seconds: float, now: float) -> Iterator[Removable]:
    for folder in (data_dir() / "storage").glob("*"):
        age = _age(folder, now)
        if folder.name.startswith("."):  # a copy that a kill cut off
            if age > ENVIRONMENT_IN_USE_SECONDS:
                yield Removable("left-over", folder, age)
        elif folder.name not in sessions and age > seconds:
            yield Removable("published data", folder, age)


def _environments(in_use: list[Path], seconds: float, now: float) -> Iterator[Removable]:
    seconds = max(seconds, ENVIRONMENT_IN_USE_SECONDS)
    kept = list(kept_environments.kept_environments(cache_dir()))
    for environment in kept:
        age = now - environment.used
        if age > seconds and not any(path.is_relative_to(environment.folder) for path in in_use):
            yield Removable("environment", environment.folder, age, environment)
    folders = {environment.folder for environment in kept}
    for folder in (cache_dir() / "runtimes").glob("*-*"):  # one that a kill left half made
        age = _age(folder, now)
        if folder.is_dir() and folder.resolve() not in folders and age > ENVIRONMENT_IN_USE_SECONDS:
            yield Removable("left-over", folder, age)


def _age(path: Path, now: float) -> float:
    return max(0.0, now - path.lstat().st_mtime)
