"""Local sync: brings this machine's environments to what the ops repo says.

Who committed there, the bot or a person, is all the same to it.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from bot.errors import BotError
from bot.events import Phase, Receipt, SyncEvent
from bot.limits import MAX_CONFIG_BYTES
from bot.names import RepoPath
from bot.registration import Target
from bot.values import Values
from cluster.errors import ClusterError
from cluster.local.runtime import Runtime
from cluster.sync.environment import EnvironmentRun, LocalEnvironment

POLL_SECONDS = 15.0  # for what reaches the ops repo past the bot
MESSAGE_CHARACTERS = 10_000

_log = logging.getLogger("dppctl.sync")


class Repository(Protocol):
    """A kept copy of a repository (the CLI hands in the bot's mirrors)."""

    def refresh(self) -> None: ...
    def head(self) -> str | None: ...
    def read(self, paths: Iterable[tuple[str, str]], limit: int) -> dict[tuple[str, str], bytes | None]: ...
    def last_change(self, path: str) -> str: ...
    def export(self, commit: str, path: str, target: Path) -> None: ...


@dataclass
class LocalSync:
    """One thread's work: `run` it there."""

    targets: frozenset[Target]
    repositories: dict[str, Repository]  # by OWNER/REPO: all apps' and ops repos
    environments: Path  # the folder of their folders
    zipapp: Path
    runtime: Callable[[Path | None], Runtime]
    report: Callable[[SyncEvent], None]  # a Reporter; raises ClusterError
    stopping: threading.Event
    _wake: threading.Event = field(default_factory=threading.Event)
    _running: EnvironmentRun | None = None

    def wake(self) -> None:
        """Something was committed to an ops repo."""
        self._wake.set()

    def stop(self) -> None:
        """`run` returns soon; what it is running ends and will be run again after the next start."""
        self.stopping.set()
        self._wake.set()
        if running := self._running:
            running.stop()

    def run(self) -> None:
        """Until `stop`. What fails for one repository or environment is logged and does not hold up the others."""
        while not self.stopping.is_set():
            self._wake.clear()
            self.sync()
            self._wake.wait(POLL_SECONDS)

    def sync(self) -> None:
        """Deploy what the ops repos say and this machine does not run yet."""
        for name in sorted({target.ops.repository for target in self.targets}):
            try:
                self.repositories[name].refresh()
            except BotError as error:
                _log.error("ops repo not read ops=%s error=%s", name, error)
        for target in sorted(self.targets):
            if self.stopping.is_set():
                return
            try:
                self._sync_one(target)
            except (BotError, ClusterError, OSError) as error:
                _log.error("not deployed app=%s environment=%s error=%s", target.app, target.environment, error)

    def folder(self, target: Target) -> Path:
        """Where an environment lives."""
        return environment_folder(self.environments, target)

    def _sync_one(self, target: Target) -> None:
        ops = self.repositories[target.ops.repository]
        head = ops.head()
        key = (head or "", target.values_file)
        content = ops.read([key], MAX_CONFIG_BYTES)[key] if head else None
        if content is None:
            return
        values = Values.from_yaml(content.decode(errors="replace"), f"{target.ops.repository}:{target.values_file}")
        environment = LocalEnvironment(self.folder(target))
        if values == environment.deployed():
            return
        if RepoPath(values.source.repository, values.source.path) != target.app:
            raise ClusterError(f"{target.values_file} is for another app than {target.app}")
        self.repositories[target.app.repository].refresh()  # a repository that is away for a while fails nothing
        environment.folder.mkdir(parents=True, exist_ok=True)
        self._deploy(target, environment, values, ops.last_change(target.values_file))

    def _deploy(self, target: Target, environment: LocalEnvironment, values: Values, ops_commit: str) -> None:
        def report(phase: Phase, message: str, receipt: Receipt | None = None) -> None:
            event = SyncEvent(
                ops_commit=ops_commit,
                app=str(target.app),
                environment=target.environment,
                ref=values.source.ref,
                commit=values.source.commit,
                phase=phase,
                time=datetime.now(UTC),
                message=message.replace("\0", "")[-MESSAGE_CHARACTERS:],
                receipt=receipt,
            )
            self.report(event)

        report("started", f"running {', '.join(pipeline.id for pipeline in values.pipelines)}")
        receipt = None
        try:
            receipt = self._run(environment, values, report)
            phase, message = _verdict(receipt)
        except (BotError, ClusterError, OSError) as error:
            phase, message = "failed", str(error)
        if self.stopping.is_set():
            return
        report(phase, message, receipt)
        environment.record(values)  # only now: after a crash before this line it is run and reported again
        _log.info("deployed app=%s environment=%s phase=%s", target.app, target.environment, phase)

    def _run(self, environment: LocalEnvironment, values: Values, report: Callable[[Phase, str], None]) -> Receipt:
        source = values.source
        app = self.repositories[source.repository]
        app.export(source.commit, source.path, environment.source)
        run = self._running = EnvironmentRun(environment, values, self.zipapp, self.runtime)
        try:
            if self.stopping.is_set():  # the stop came before there was something to stop
                run.stop()
            for result in run.finished():
                if not self.stopping.is_set():
                    report("progress", f"{result['id']}: {result['status']}, {result['rows'] or 0} rows")
            return run.receipt()
        finally:
            self._running = None


def environment_folder(environments: Path, target: Target) -> Path:
    """The folder of an environment: its database is `data.sqlite` there."""
    return environments / target.app.slug / target.environment


def _verdict(receipt: Receipt) -> tuple[Phase, str]:
    if receipt.status == "succeeded":
        return "succeeded", f"{receipt.rows} rows"
    failed = [pipeline for pipeline in receipt.pipelines if pipeline.status != "succeeded"]
    return "failed", "\n".join(f"{one.id} {one.status}: {one.error or 'no message'}" for one in failed)
