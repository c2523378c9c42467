"""The environments in the cache: when each was last used, which workload's files are in it, and which may go."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cluster.limits import WORKLOAD_ENVIRONMENT_SECONDS

_WORKLOAD = "dppctl-workload.json"


@dataclass(frozen=True)
class KeptEnvironment:
    """An environment in the cache."""

    published: Path  # the link that it is found by
    used: float  # seconds of the epoch
    workload: Path | None  # whose files are in it
    in_place: bool  # it leads to the workload's folder

    @property
    def folder(self) -> Path:
        """Return the environment itself."""
        return self.published.resolve()


def lock_file(published: Path) -> Path:
    """Return the file that is locked while an environment is made; its time is that of the last use."""
    return published.with_suffix(".lock")


def mark_used(published: Path) -> None:
    """Note that an environment is used now, where the cache can be written."""
    with suppress(OSError):
        os.utime(lock_file(published))


def write_workload(folder: Path, workload: Path, *, in_place: bool) -> None:
    """Note in an environment whose files are in it."""
    content = {"workload": str(workload.absolute()), "in_place": in_place}
    (folder / _WORKLOAD).write_text(json.dumps(content), encoding="utf-8")


def kept_environments(cache: Path) -> Iterator[KeptEnvironment]:
    """Yield the environments in the cache."""
    for published in sorted((cache / "runtimes").glob("*")):
        if not published.is_symlink():
            continue
        try:
            known = json.loads((published / _WORKLOAD).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            known = {}
        times = [path.lstat().st_mtime for path in (published, lock_file(published)) if path.exists()]
        workload = Path(known["workload"]) if "workload" in known else None
        yield KeptEnvironment(published, max(times, default=0.0), workload, known.get("in_place", False))


def remove_left_behind(cache: Path) -> None:
    """Remove the environments that hold files of workloads and are no longer wanted.

    Each change of such files makes another one, so they would fill the disk: those go whose folder is gone, and those
    that nobody used for long.
    """
    for environment in kept_environments(cache):
        if environment.workload is None:
            continue
        gone = environment.in_place and not environment.workload.exists()
        if gone or time.time() - environment.used > WORKLOAD_ENVIRONMENT_SECONDS:
            with suppress(OSError):  # somebody else's clean-up; the next one sees to what is left
                remove_environment(environment)


def remove_environment(environment: KeptEnvironment) -> None:
    """Remove an environment, unless somebody makes it at this moment; whoever needs it makes it again."""
    lock = lock_file(environment.published)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        folder = environment.folder
        environment.published.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        lock.unlink(missing_ok=True)
