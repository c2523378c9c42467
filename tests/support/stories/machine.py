"""An app, an ops repo in which a test writes values, and sync on this machine beside them."""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.git.mirror import Mirror
from bot.model.decisions import AskedBy, Update
from bot.model.expectations import Expectation
from bot.model.registration import Target
from bot.model.reports import SyncEvent
from bot.model.values import Pipeline, Source, Values
from bot.reconcile.ops_repo import OpsRepo
from cluster.local.workers.dpp_environment import DppEnvironment
from cluster.sync.local.environment import LocalEnvironment, environment_folder
from cluster.sync.local.schedules import Schedules
from cluster.sync.local.sync import LocalSync
from tests.support.environment import processes_with
from tests.support.forge import FLOW
from tests.support.waiting import eventually
from tests.support.world import PRODUCTION, STAGING, World
from worker.zipapp_builder import build

FAILING = {"rows.py": 'def flow(*_):\n    raise ValueError("the reason")\n'}
PUBLISHING = {
    "rows.py": """
        import pathlib
        from dataflows import Flow, update_resource

        def flow(*_):
            pathlib.Path("data").mkdir(exist_ok=True)
            pathlib.Path("data/index.html").write_text("the site")
            return Flow([{"number": 1}], update_resource(-1, name="numbers", path="n.csv", **{"dpp:streaming": True}))
    """
}


def waiting_for(file: Path, run: str = FLOW) -> dict[str, str]:
    """Return a flow that goes on once that file exists."""
    wait = f"import os, time\n        while not os.path.exists({str(file)!r}):\n            time.sleep(0.02)"
    return {"rows.py": run.replace("def flow(*_):", f"def flow(*_):\n        {wait}")}


@dataclass(frozen=True)
class Snapshot:
    """What a machine had at a moment of a story that is told once and that several tests look at."""

    events: tuple[SyncEvent, ...]
    numbers: list[int]  # in staging's database; none: nothing is deployed
    site: str  # that staging publishes; empty: none

    @property
    def phases(self) -> list[str]:
        """Return the phases of staging, without progress."""
        return _phases(self.events, STAGING)

    @property
    def end(self) -> SyncEvent:
        """Return the last event."""
        return self.events[-1]


class Machine:
    """Has methods for what people do; `close` it at the end."""

    def __init__(self, folder: Path, runtime: DppEnvironment) -> None:
        self.world = World(folder, SYNC_TOKEN="s3cret")
        self.app, self.ops = self.world.app, self.world.ops
        self.runtime = runtime
        self.events: list[SyncEvent] = []
        self.now = datetime(2026, 1, 1, tzinfo=UTC)  # what schedules take for the time
        self.writer = OpsRepo(self.world.git, self.world.settings.github.repository_url("ann/ops"), folder / "writer")
        build(folder / "worker.pyz")
        self.folder = folder
        self.sync = self.start()

    def start(self, concurrency: int = 2, **other: Any) -> LocalSync:
        """Make a sync, as after a start of the program."""
        git, urls = (
            self.world.git,
            {name: self.world.settings.github.repository_url(name) for name in ("ann/app", "ann/ops")},
        )
        ours = {
            "targets": frozenset({STAGING, PRODUCTION}),
            "repositories": {name: Mirror(git, url, self.folder / "sync" / name) for name, url in urls.items()},
            "environments": self.folder / "environments",
            "zipapp": self.folder / "worker.pyz",
            "runtime": lambda _requirements, _stop: self.runtime,
            "report": self.events.append,
            "stopping": threading.Event(),
            "concurrency": concurrency,
            "schedules": Schedules(lambda: self.now),
        }
        self.sync = LocalSync(**{**ours, **other})
        return self.sync

    @contextmanager
    def running(self) -> Iterator[LocalSync]:
        """Run sync in its thread, as in the program."""
        thread = threading.Thread(target=self.sync.run)
        thread.start()
        try:
            yield self.sync
        finally:
            self.sync.stop()
            thread.join(5)
            assert not thread.is_alive()
            eventually(lambda: not self.processes(), "all its processes end")

    def say(
        self,
        files: dict[str, str],
        *pipelines: str | Pipeline,
        repository: str = "ann/app",
        targets: tuple[Target, ...] = (STAGING,),
        image: str | None = None,
    ) -> str:
        """Push the app, say in the ops repo that environments are to run it, and return the app's commit."""
        commit = self.app.push(files)
        self.say_commit(commit, *pipelines, repository=repository, targets=targets, image=image)
        return commit

    def say_commit(
        self,
        commit: str,
        *pipelines: str | Pipeline,
        repository: str = "ann/app",
        targets: tuple[Target, ...] = (STAGING,),
        image: str | None = None,
        deliveries: tuple[str, ...] = (),
    ) -> None:
        """Say the same of a commit that was pushed before."""
        source = Source(repository=repository, path="", ref="refs/heads/master", commit=commit)
        chosen = tuple(given if isinstance(given, Pipeline) else Pipeline(id=given) for given in pipelines or ["./one"])
        values = Values(image=image, source=source, pipelines=chosen)
        self.writer.write([Update(target, values, deliveries) for target in targets])

    def say_expected(
        self, commit: str, expect: Sequence[Expectation], *pipelines: Pipeline, accepts: str = "", restores: str = ""
    ) -> None:
        """Say that staging is to run a commit, and what is expected of its data.

        accepts: why that is taken as it is; restores: the ops commit whose data is to be there again.
        """
        source = Source(repository="ann/app", path="", ref="refs/heads/master", commit=commit)
        chosen = pipelines or (Pipeline(id="./one"),)
        values = Values(image=None, source=source, pipelines=chosen, expect=tuple(expect), accept=bool(accepts))
        asked = AskedBy("deploy", "local:ann", None, accepts, 7, accepts=True) if accepts else None
        if restores:
            asked = AskedBy("rollback", "local:ann", None, "", 8, origin=restores, runs=False)
        self.writer.write([Update(STAGING, values, asked=asked)])

    def go_back(self, commit: str, ops_commit: str, *pipelines: Pipeline) -> None:
        """Say in the ops repo that staging is to go back to a commit, as that ops commit deployed it."""
        source = Source(repository="ann/app", path="", ref="refs/heads/master", commit=commit)
        values = Values(image=None, source=source, pipelines=pipelines or (Pipeline(id="./one"),))
        asked = AskedBy("rollback", "local:ann", None, "", 1, origin=ops_commit, runs=False)
        self.writer.write([Update(STAGING, values, asked=asked)])

    def environment(self, target: Target = STAGING) -> LocalEnvironment:
        """Return the environment as sync sees it."""
        return LocalEnvironment(environment_folder(self.folder / "environments", target))

    def numbers(self, target: Target = STAGING) -> list[int]:
        """Return what the pipeline wrote into the environment's database."""
        current = self.environment(target).current()
        assert current
        with closing(sqlite3.connect(current.database)) as connection:
            return [number for (number,) in connection.execute("SELECT number FROM numbers ORDER BY 1")]

    def phases(self, target: Target = STAGING) -> list[str]:
        """Return the reported phases, without progress, of which the clock decides how often."""
        return _phases(self.events, target)

    def snapshot(self) -> Snapshot:
        """Return what it has now."""
        site = self.environment().storage / "index.html"
        numbers = self.numbers() if self.environment().current() else []
        return Snapshot(tuple(self.events), numbers, site.read_text() if site.exists() else "")

    def close(self) -> None:
        """Close what it opened."""
        self.world.close()

    def processes(self) -> list[int]:
        """Return the processes that work in its environments."""
        return processes_with(str(self.folder / "environments"))


def _phases(events: Iterable[SyncEvent], target: Target) -> list[str]:
    phases = [event.phase for event in events if event.environment == target.environment]
    return [phase for phase in phases if phase != "progress"]
