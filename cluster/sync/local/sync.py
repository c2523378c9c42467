"""Local sync: brings this machine's environments to what the ops repo says.

Who committed there, the bot or a person, is all the same to it. One thread observes (`observe.py`), decides
(`decide.py`) and applies (`apply.py`); what is to be done to an environment is a job (`deployment.py`), some of them at
a time and never two in one environment.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from bot.backoff import Backoff
from bot.errors import DppctlError
from bot.limits import KEPT_RELEASES
from bot.logs import bind_push, get_logger
from bot.model.registration import Target
from bot.model.reports import SyncEvent
from bot.scheduler import Scheduler
from cluster.limits import (
    LONG_DEPLOYMENT_SECONDS,
    MAX_SYNC_RETRY_SECONDS,
    MOST_DEPLOYMENTS,
    SYNC_POLL_SECONDS,
    SYNC_RETRY_SECONDS,
    SYNC_STOP_SECONDS,
)
from cluster.local.workers.dpp_environment import DppEnvironment
from cluster.local.workers.waiting import WaitingWorkers
from cluster.sync.desired_reader import DesiredReader
from cluster.sync.local.apply import apply, follow_schedules
from cluster.sync.local.decide import decide
from cluster.sync.local.deployment import EnvironmentJob, JobContext
from cluster.sync.local.observe import observe, read_desired
from cluster.sync.local.removal import gone_previews, previews_here, remove_leftovers
from cluster.sync.local.schedules import Schedules
from cluster.sync.local.sources import Sources
from cluster.sync.local.state import DesiredValues
from cluster.sync.repositories import Repositories, RepositoryCopy

_log = get_logger("dppctl.sync")


class LocalSync:
    """One thread's work: `run` it there."""

    def __init__(
        self,
        *,
        targets: frozenset[Target],
        repositories: Mapping[str, RepositoryCopy],
        environments: Path,
        zipapp: Path,
        runtime: Callable[[Path | None, threading.Event], DppEnvironment],
        report: Callable[[SyncEvent], int | None],
        stopping: threading.Event,
        concurrency: int = 2,
        registry_auth_file: Path | None = None,
        shares_network: bool = False,
        storage_url: Callable[[Target], str] = lambda target: f"{target.environment}'s storage",
        schedules: Schedules | None = None,
        retry_seconds: float = SYNC_RETRY_SECONDS,
        keeps: int = KEPT_RELEASES,
    ) -> None:
        """Take all apps' and ops repos by OWNER/REPO, and the folder of the environments' folders.

        `report` is a Reporter's `post`; `concurrency` is the number of jobs at a time; `registry_auth_file` is for
        registries that ask for a password; `retry_seconds` pass after a first failure; `keeps` earlier
        releases of each environment are kept.
        """
        self.schedules = schedules or Schedules()
        self.targets = targets
        self._stopping = stopping
        self._wake = threading.Event()
        shared = Repositories(repositories)
        sources = Sources(shared, runtime, registry_auth_file, shares_network)
        self._runtime = runtime
        self._workers = WaitingWorkers(zipapp)
        self._context = JobContext(sources, environments, self._workers, report, storage_url, keeps=keeps)
        self._reader = DesiredReader(targets, shared, read_desired)
        self._scheduler: Scheduler[Target, EnvironmentJob] = Scheduler(
            stopping,
            lambda _: self._wake.set(),
            concurrency,
            Backoff(retry_seconds, MAX_SYNC_RETRY_SECONDS),
            patience=LONG_DEPLOYMENT_SECONDS,
            most=MOST_DEPLOYMENTS * concurrency,
        )
        self._desired: dict[Target, DesiredValues] = {}
        self._problems: Mapping[Target, str] = {}  # why what an ops repo says cannot be used, as it was logged
        self._settled: dict[Target, DesiredValues] = {}

    def wake(self) -> None:
        """Look soon: something was committed to an ops repo."""
        self._wake.set()

    def stop(self) -> None:
        """Have `run` return soon; what it is running ends and will be run again after the next start."""
        self._stopping.set()
        self._wake.set()

    def run(self) -> None:
        """Work until `stop`. What fails for one repository or environment is logged and holds up no other."""
        self._workers.open()
        with suppress(DppctlError):  # the deployment that needs the environment says what is wrong with it
            self._workers.prepare(self._runtime(None, self._stopping))
        environments, patterns = self._context.environments, [target for target in self.targets if target.is_pattern]
        remove_leftovers(environments, patterns)
        for target in [*(self.targets - {*patterns}), *previews_here(environments, patterns)]:
            try:
                self._context.environment(target).tidy()
                follow_schedules(target, self.schedules, self._context)
            except OSError as error:
                _log.error("environment not read", app=target.app, environment=target.environment, error=error)
        while not self._stopping.is_set():
            self._wake.clear()
            self.look()
            self._workers.end_unused()
            self._wake.wait(min(SYNC_POLL_SECONDS, self.schedules.seconds() or SYNC_POLL_SECONDS))
        self._workers.close()
        self._scheduler.close(SYNC_STOP_SECONDS)

    def sync(self) -> None:
        """Look, and return when there is nothing more to do for now."""
        self.look()
        while len(self._scheduler):
            self._wake.wait()
            self._wake.clear()
            self.look()

    def look(self) -> None:
        """Start and stop jobs so that this machine comes to run what the ops repos say. Raises nothing."""
        try:
            self._pass()
        except Exception:  # noqa: BLE001 (a mistake of ours; the next pass may find something else)
            _log.exception("pass broke")

    def _pass(self) -> None:
        self._collect()
        before, found = self._desired, self._reader.read()
        self._desired = {target: desired for target, desired in found.by_target.items() if desired}
        for target, problem in found.problems.items():
            if self._problems.get(target) != problem:
                _log.error("not deployed", app=target.app, environment=target.environment, error=problem)
        self._problems = found.problems
        for target, desired in self._desired.items():
            if desired != before.get(target):
                self._scheduler.forget_failures(target)
        known = {*found.by_target, *found.problems}
        running = self._scheduler.all_running()
        gone = gone_previews(self._context.environments, found.patterns, known, running)
        state = observe(
            [*(target for target in {*self.targets, *known} if not target.is_pattern), *gone],
            self._desired,
            self._settled,
            self._scheduler,
            self.schedules,
            self._context,
            gone,
        )
        apply(decide(state), self._scheduler, self.schedules, self._settled, self._context)

    def _collect(self) -> None:
        for ended in self._scheduler.collect():
            if ended.error and not ended.superseded:
                target = ended.target
                with bind_push(ended.job.deliveries, app=target.app, environment=target.environment):
                    _log.error("not deployed yet", error=ended.error)
