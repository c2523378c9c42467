"""Sync on this machine in the test's own process, whose pipelines are a row in the database: no worker, no dpp."""

import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.git.mirror import Mirror
from bot.model.receipt import PipelineResult, Receipt
from bot.model.registration import Target
from cluster.storage.written import NOTHING_WRITTEN, WrittenItems
from cluster.sync.local.deployment import EnvironmentJob
from cluster.sync.local.environment import LocalEnvironment, Release
from cluster.sync.local.removal import remove_leftovers
from cluster.sync.local.sync import LocalSync
from tests.support.world import World

# Where it may be killed, and by what name each is called.
STEPS: tuple[tuple[Any, str], ...] = (
    (LocalEnvironment, "begin"),
    (LocalEnvironment, "switch"),
    (LocalEnvironment, "record"),
    (Path, "rename"),
    (shutil, "rmtree"),
)


class StubMachine:
    """Has the environments' folders; what syncs is made anew after each kill."""

    def __init__(self, world: World, targets: frozenset[Target], monkeypatch: pytest.MonkeyPatch) -> None:
        """Run in the world, for these targets; until the end of the test jobs need no worker."""
        monkeypatch.setattr(EnvironmentJob, "_host", lambda *_: None)
        monkeypatch.setattr(EnvironmentJob, "_follow", _follow)
        self._world, self._targets = world, targets
        self._environments = world.folder / "environments"
        self._sync = self._start()

    def _start(self) -> LocalSync:
        world, folder = self._world, self._world.folder / "sync"
        names = ("ann/app", "ann/ops")
        remove_leftovers(self._environments, [target for target in self._targets if target.is_pattern])
        return LocalSync(
            targets=self._targets,
            repositories={name: Mirror(world.git, world.forge.url + f"/{name}.git", folder / name) for name in names},
            environments=self._environments,
            zipapp=folder / "worker.pyz",
            runtime=lambda *_: pytest.fail("no worker is needed"),
            report=lambda _: None,
            stopping=threading.Event(),
        )

    def look(self) -> None:
        """Have it do all that is to be done now."""
        self._sync.sync()

    def restart(self) -> None:
        """Start it anew, as after a kill."""
        self._sync = self._start()

    def commits(self) -> dict[str, str]:
        """Return the commit that each environment runs, by the names of all the folders that are there."""
        folders = (self._environments / "ann+app").glob("*")
        return {folder.name: _commit(LocalEnvironment(folder)) for folder in folders}


def _commit(environment: LocalEnvironment) -> str:
    current = environment.current()
    outcome = current.outcome if current else None
    return outcome.values.source.commit if outcome else ""


def _follow(
    _: EnvironmentJob, release: Release, __: object, ids: list[str], ___: Callable[[str, str], object]
) -> tuple[Receipt, WrittenItems]:
    with closing(sqlite3.connect(release.work_database)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS numbers (number)")
    now = datetime.now(UTC)
    pipelines = tuple(PipelineResult(id=identity, status="succeeded", rows=1) for identity in ids)
    return Receipt(status="succeeded", pipelines=pipelines, started=now, ended=now), NOTHING_WRITTEN
