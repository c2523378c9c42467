"""An environment on one machine: a folder that holds what runs there, and how the last deployment ended.

    current -> releases/A    the source, the database and the storage that users see
    releases/B               what was current before, kept to go back to
    releases/C               one that is being made; or what a crash left, and then nobody's
    last.json                how the last deployment ended

A run works in a new release, on a copy of the database. Renaming one link makes all of that current, or nothing: so
what a run does that fails, is stopped or is killed at any moment is never seen.
"""

import os
import shutil
import sqlite3
import stat
import threading
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from bot.limits import KEPT_RELEASES
from bot.model.registration import Target
from cluster.errors import ClusterError
from cluster.limits import DATABASE_PAGES
from cluster.sync.outcome import Outcome


@dataclass(frozen=True)
class Release:
    """The files of one run. They never move, so a path that a pipeline wrote down stays true."""

    folder: Path

    @property
    def source(self) -> Path:
        """Return the folder of the app's files at the deployed commit, and what its pipelines wrote beside them."""
        return self.folder / "source"

    @property
    def work(self) -> Path:
        """Return what pipelines may write beside the source, and all that a container sees of the release."""
        return self.folder / "work"

    @property
    def database(self) -> Path:
        """Return the environment's own SQLite database: a link to where pipelines have it."""
        return self.folder / "data.sqlite"

    @property
    def work_database(self) -> Path:
        """Return the same database, where pipelines have it."""
        return self.work / self.database.name

    @property
    def storage(self) -> Path:
        """Return the folder of what was published: data packages and a site."""
        return self.folder / "storage"

    @property
    def outcome(self) -> Outcome | None:
        """Return how the deployment that made it ended. None: it has not."""
        return _read(self.folder / "outcome.json")

    def check(self) -> None:
        """Raise ClusterError when pipelines left anything but a file where we read one.

        A link would lead out of the container that they ran in.
        """
        file = self.work_database
        with suppress(FileNotFoundError):
            if not stat.S_ISREG(file.lstat().st_mode):
                raise ClusterError(f"the pipelines put something else in the place of their file {file.name}")

    def write(self, outcome: Outcome) -> None:
        """Write how the deployment that made it ended."""
        _write(self.folder / "outcome.json", outcome)


@dataclass(frozen=True)
class LocalEnvironment:
    """One app in one environment; of its earlier deployments so many are kept to go back to."""

    folder: Path
    keeps: int = KEPT_RELEASES

    def current(self) -> Release | None:
        """Return what runs; None: nothing yet."""
        return Release(self._link.resolve()) if self._link.exists() else None

    @property
    def storage(self) -> Path:
        """Return the folder that is published now; by way of the link, so this path stays right."""
        return self._link / "storage"

    def last(self) -> Outcome | None:
        """Return how the last deployment ended; what is current may be of an older one."""
        recorded, current = _read(self._last), self.current()
        ran = current.outcome if current else None
        # A kill came between the switch and the record, when what is current ended after what was recorded.
        return ran if ran and (recorded is None or ran.ended > recorded.ended) else recorded

    def record(self, outcome: Outcome) -> None:
        """Write how the last deployment ended."""
        _write(self._last, outcome)

    def begin(self, stop: threading.Event) -> Release:
        """Return a new release with a copy of the current one's database. Raises ClusterError, also at the stop."""
        self.tidy()
        # A name that was never there: a killed one's worker may still be writing to its release for a second or two.
        release = Release(self._releases / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}")
        release.work.mkdir(parents=True)
        release.database.symlink_to(release.work_database.relative_to(release.folder))
        current = self.current()
        if current and current.database.exists():
            _copy_database(current.database, release.database, stop)
        return release

    def switch(self, release: Release) -> None:
        """Make a release what runs, from one moment to the next."""
        new = self.folder / "current.new"
        new.unlink(missing_ok=True)
        new.symlink_to(release.folder.relative_to(self.folder))
        os.replace(new, self._link)
        self.tidy()

    def kept(self) -> list[tuple[Release, Outcome]]:
        """Return the releases that can be gone back to, the current one first, then those that were so last.

        Of a deployment whose pipelines ran by schedule too there is the newest.
        """
        current = self.current()
        ended = [(found, outcome) for found in self._all() if (outcome := found.outcome)]
        ended.sort(key=lambda pair: (pair[0] == current, pair[1].since or pair[1].ended), reverse=True)
        newest: dict[str, tuple[Release, Outcome]] = {}
        for release, outcome in ended:
            newest.setdefault(outcome.ops_commit, (release, outcome))
        return [*newest.values()][: self.keeps + 1]

    def kept_commits(self) -> tuple[str, ...]:
        """Return the ops commits whose releases can be gone back to."""
        return tuple(commit for _, found in self.kept() for commit in (found.ops_commit, *found.restored_for))

    def tidy(self) -> None:
        """Remove all releases but the current one and those that are kept. Nothing may be running in them."""
        kept = {found.folder for found, _ in self.kept()}
        for release in self._all():
            if release != self.current() and release.folder not in kept:
                # A worker of a process that was killed may still be ending there; then it goes next time.
                shutil.rmtree(release.folder, ignore_errors=True)

    def _all(self) -> list[Release]:
        return [Release(folder.resolve()) for folder in self._releases.glob("*")]

    @property
    def _link(self) -> Path:
        return self.folder / "current"

    @property
    def _releases(self) -> Path:
        return self.folder / "releases"

    @property
    def _last(self) -> Path:
        return self.folder / "last.json"


def environment_folder(environments: Path, target: Target) -> Path:
    """Return the folder of an environment: its database is `current/data.sqlite` in it."""
    return environments / target.app.slug / target.environment


def _copy_database(source: Path, target: Path, stop: threading.Event) -> None:
    """Copy a database as it is at one moment, whoever uses it: https://www.sqlite.org/backup.html."""

    def look(_status: int, _remaining: int, _total: int) -> None:
        if stop.is_set():
            raise ClusterError("stopped while the database was copied")

    try:
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new, pages=DATABASE_PAGES, progress=look)
    except sqlite3.Error as error:
        raise ClusterError(f"{source}: the database cannot be copied: {error}") from error


def _read(file: Path) -> Outcome | None:
    """Return None for a file that somebody else wrote: then the deployment runs once more."""
    with suppress(FileNotFoundError, ValidationError):
        return Outcome.model_validate_json(file.read_bytes())
    return None


def _write(file: Path, outcome: Outcome) -> None:
    part = file.with_suffix(".part")
    part.write_text(outcome.model_dump_json())
    os.replace(part, file)
