"""Local sync: brings this machine's environments to what the ops repo says.

Who committed there, the bot or a person, is all the same to it. One thread looks and decides; what is to be done to an
environment is a job (`job.py`), some of them at a time and never two in one environment.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.errors import DppctlError
from bot.logs import get_logger
from bot.model.registration import Target
from bot.model.reports import SyncEvent
from bot.model.values import Values
from cluster.limits import SYNC_POLL_SECONDS, SYNC_RETRY_SECONDS
from cluster.local.workers.dpp_environment import DppEnvironment
from cluster.sync.local.deployment import DeploymentJob, Job, JobContext, ScheduledRun
from cluster.sync.local.environment import LocalEnvironment, environment_folder
from cluster.sync.local.schedules import Schedules
from cluster.sync.local.sources import Sources
from cluster.sync.repositories import Repositories, Repository, values_at

_log = get_logger("dppctl.sync")


@dataclass(frozen=True)
class Wanted:
    """What the ops repo says about an environment, and the commit that said so."""

    values: Values
    ops_commit: str


@dataclass
class LocalSync:
    """One thread's work: `run` it there."""

    targets: frozenset[Target]
    repositories: Mapping[str, Repository]  # by OWNER/REPO: all apps' and ops repos
    environments: Path  # the folder of their folders
    zipapp: Path
    runtime: Callable[[Path | None, threading.Event], DppEnvironment]
    report: Callable[[SyncEvent], None]  # a Reporter; raises ClusterError
    stopping: threading.Event
    concurrency: int = 2  # jobs at a time
    registry_auth_file: Path | None = None  # for images, where registries ask for a password
    storage_url: Callable[[Target], str] = lambda target: f"{target.environment}'s storage"
    schedules: Schedules = field(default_factory=Schedules)
    _wake: threading.Event = field(default_factory=threading.Event)
    _heads: dict[str, str | None] = field(default_factory=dict)  # of the ops repos, as they were read last
    _wanted: dict[Target, Wanted] = field(default_factory=dict)
    _settled: dict[Target, Wanted] = field(default_factory=dict)  # what needs nothing more
    _jobs: dict[Target, Job] = field(default_factory=dict)
    _ended: dict[Target, bool] = field(default_factory=dict)  # jobs that ended since the last look: all done?
    _started: dict[Target, float] = field(default_factory=dict)
    _not_before: dict[Target, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._repositories = Repositories(self.repositories)
        places = Sources(self._repositories, self.runtime, self.registry_auth_file)
        self._means = JobContext(places, self.zipapp, self.report, self.storage_url)

    def wake(self) -> None:
        """Something was committed to an ops repo."""
        self._wake.set()

    def stop(self) -> None:
        """`run` returns soon; what it is running ends and will be run again after the next start."""
        self.stopping.set()
        self._wake.set()

    def run(self) -> None:
        """Until `stop`. What fails for one repository or environment is logged and does not hold up the others."""
        for target in self.targets:
            self._environment(target).tidy()
            self._schedule(target)
        while not self.stopping.is_set():
            self._wake.clear()
            self.look()
            self._wake.wait(min(SYNC_POLL_SECONDS, self.schedules.seconds() or SYNC_POLL_SECONDS))
        for job in self._jobs.values():
            job.stop()
        while self._jobs:
            self._wake.wait()
            self._wake.clear()
            self._collect()

    def sync(self) -> None:
        """Look, and return when there is nothing more to do for now."""
        self.look()
        while self._jobs:
            self._wake.wait()
            self._wake.clear()
            self.look()

    def look(self) -> None:
        """Start and stop jobs so that this machine comes to run what the ops repos say."""
        self._collect()
        for name in sorted({target.ops.repository for target in self.targets}):
            try:
                with self._repositories.use(name) as ops:
                    ops.refresh()
                    self._read(name, ops)
            except DppctlError as error:
                _log.error("ops repo not read", ops=name, error=error)
        # Whoever was served last waits longest, so that busy environments starve nobody.
        for target in sorted(self.targets, key=lambda one: (self._started.get(one, 0.0), one)):
            self._look_at(target)

    def _read(self, name: str, ops: Repository) -> None:
        """Find out what an ops repo says, if that may have changed."""
        head = ops.head()
        if head is None or head == self._heads.get(name):
            return
        mine = [target for target in self.targets if target.ops.repository == name]
        for target, values in values_at(ops, head, mine).items():
            self._wanted.pop(target, None)
            if isinstance(values, DppctlError):
                _log.error("not deployed", app=target.app, environment=target.environment, error=values)
            elif values:
                self._wanted[target] = Wanted(values, ops.last_change(target.values_file))
        self._heads[name] = head

    def _look_at(self, target: Target) -> None:
        job, wanted = self._jobs.get(target), self._wanted.get(target)
        if job:
            if isinstance(job, DeploymentJob):
                if wanted and wanted.values != job.values and not job.superseded:
                    job.supersede()
            elif wanted and wanted != self._settled.get(target):
                job.stop()  # a deployment goes first
            return
        if len(self._jobs) >= self.concurrency or self._not_before.get(target, 0.0) > time.monotonic():
            return
        environment = self._environment(target)
        if wanted and wanted != self._settled.get(target):
            self._start(DeploymentJob(self._means, target, environment, wanted.values, wanted.ops_commit))
        elif due := self.schedules.take(target):
            current = environment.current()
            if deployed := current.outcome if current else None:
                self._start(ScheduledRun(self._means, target, environment, deployed, due))

    def _start(self, job: Job) -> None:
        def work() -> None:
            done = False
            try:
                done = job.run()
            except (DppctlError, OSError) as error:
                _log.error("not done", app=job.target.app, environment=job.target.environment, error=error)
            finally:
                self._ended[job.target] = done
                self._wake.set()

        self._jobs[job.target] = job
        self._started[job.target] = time.monotonic()
        threading.Thread(target=work, name=f"{job.target.environment} of {job.target.app}", daemon=True).start()

    def _collect(self) -> None:
        """Take note of the jobs that ended."""
        for target in list(self._ended):
            job = self._jobs.pop(target)
            if not self._ended.pop(target):
                self._not_before[target] = time.monotonic() + SYNC_RETRY_SECONDS
            elif isinstance(job, DeploymentJob):
                self._settled[target] = Wanted(job.values, job.ops_commit)
                self._schedule(target)

    def _schedule(self, target: Target) -> None:
        """From here on by the schedules of what is current."""
        current = self._environment(target).current()
        if deployed := current.outcome if current else None:
            self.schedules.set(target, deployed.values.pipelines)

    def _environment(self, target: Target) -> LocalEnvironment:
        return LocalEnvironment(environment_folder(self.environments, target))
