"""One thing that is done to an environment: a deployment, or a run of its pipelines by their schedule."""

import shutil
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import DppctlError, TransientError
from bot.logs import get_logger
from bot.model.names import short
from bot.model.registration import Target
from bot.model.reports import Phase, Receipt, SyncEvent
from bot.model.values import Pipeline, Values
from cluster.errors import ClusterError
from cluster.local.storage.publish import publish
from cluster.sync.local.environment import LocalEnvironment, Release
from cluster.sync.local.pipelines import Pipelines
from cluster.sync.local.sources import Sources
from cluster.sync.outcome import End, Outcome, message_text, verdict
from cluster.sync.reporter import sync_event

_log = get_logger("dppctl.sync")


@dataclass(frozen=True)
class JobContext:
    """What all jobs work with."""

    places: Sources
    zipapp: Path
    report: Callable[[SyncEvent], None]  # a Reporter; raises ClusterError
    storage_url: Callable[[Target], str]


class Job(ABC):
    """`run` it in a thread of its own; `stop` it from another one."""

    def __init__(
        self, means: JobContext, target: Target, environment: LocalEnvironment, values: Values, ops_commit: str
    ) -> None:
        self.target = target
        self.values = values
        self.ops_commit = ops_commit
        self._means = means
        self._environment = environment
        self._pipelines: Pipelines | None = None
        self._stopped = threading.Event()
        self._log = _log.bind(app=target.app, environment=target.environment)

    @abstractmethod
    def run(self) -> bool:
        """Do it. Whether that is all: if not, try again some time later."""

    def stop(self) -> None:
        """`run` returns soon; nothing of what it did so far stays."""
        self._stopped.set()
        if pipelines := self._pipelines:
            pipelines.stop()

    def _begin(self) -> Release:
        return self._environment.begin(self._goes_on)

    def _goes_on(self) -> bool:
        return not self._stopped.is_set()

    def _follow(
        self, release: Release, ids: Sequence[str], tell: Callable[[str, str], object]
    ) -> tuple[Receipt, Pipelines]:
        place = self._means.places.place(release, self._environment, self.values, self._stopped)
        running = Pipelines(release, self.values, ids, self._means.zipapp, place)
        self._pipelines = running
        try:
            if self._stopped.is_set():  # the stop came before there was something to stop
                running.stop()
            for message, log in running.follow():
                if not self._stopped.is_set():
                    tell(message, log)
            return running.receipt(), running
        finally:
            self._pipelines = None

    def _publish(self, release: Release, spec_folders: Sequence[str], since: float) -> str:
        """What to tell about it."""
        folders = [release.source / folder for folder in spec_folders]
        found = publish(release.source, folders, since, release.storage)
        return f"; published at {self._means.storage_url(self.target)}" if found else ""

    def _tell(
        self, phase: Phase, message: str, log: str = "", receipt: Receipt | None = None, of: Outcome | None = None
    ) -> bool:
        """Whether it was heard. A deployment goes on when it was not: its end is told until somebody hears.

        `of`: another deployment than this one.
        """
        told = of or self
        event = sync_event(self.target, told.ops_commit, told.values.source, phase, message, log, receipt)
        try:
            self._means.report(event)
        except ClusterError as error:
            self._log.warning("not reported", phase=phase, error=error)
            return False
        return True


class DeploymentJob(Job):
    """Brings the environment to these values, or leaves it as it is and says why."""

    superseded = False

    def supersede(self) -> None:
        """Something newer is to run: stop."""
        self.superseded = True
        self.stop()

    def run(self) -> bool:
        last = self._environment.last()
        if last and not last.reported:  # a kill, or a receiver that was away, came before it was told
            if not self._told(last):
                return False
            last = self._environment.last()
        if last and (last.ops_commit, last.values) == (self.ops_commit, self.values):
            return True
        outcome = self._ran_already() or self._deploy()
        return self._told(outcome) if outcome else self.superseded

    def _told(self, outcome: Outcome) -> bool:
        """Tell how a deployment ended, until it was heard: after a kill before the record it is told again."""
        self._environment.record(outcome)
        if not self._tell(outcome.phase, outcome.message, receipt=outcome.receipt, of=outcome):
            return False
        self._environment.record(outcome.model_copy(update={"reported": True}))
        self._log.info("deployed", commit=outcome.values.source.commit, phase=outcome.phase)
        return True

    def _ran_already(self) -> Outcome | None:
        """The outcome, when this is what is current: such as after going back from a commit that failed."""
        current = self._environment.current()
        ran = current.outcome if current else None
        if ran is None or ran.values != self.values:
            return None
        message = f"{ran.message}; it ran already"
        return ran.model_copy(update={"ops_commit": self.ops_commit, "message": message, "ended": time.time()})

    def _deploy(self) -> Outcome | None:
        ids = [pipeline.id for pipeline in self.values.pipelines]
        try:
            self._means.places.refresh(self.values, self._stopped)
        except TransientError as error:  # what is away for a while fails nothing
            if self._goes_on():
                self._log.error("not deployed yet", error=error)
            return None
        self._tell("started", f"running {', '.join(ids)}")
        release = receipt = None
        began, folders = time.time(), tuple[str, ...]()
        phase: End
        try:
            release = self._begin()
            self._means.places.fill(release, self._environment, self.values, self._stopped)
            began = time.time()
            receipt, pipelines = self._follow(release, ids, lambda message, log: self._tell("progress", message, log))
            folders = pipelines.spec_folders
            phase, message = verdict(receipt)
            if phase == "succeeded":
                message += self._publish(release, folders, began)
        except (DppctlError, OSError) as error:
            phase, message = "failed", str(error)
        if self._stopped.is_set() and phase == "failed":
            if self.superseded:
                self._tell("superseded", "stopped: something newer is to run")
            return None
        if phase == "failed":
            reason, _, more = message.partition("\n")
            message = f"{reason}\n{self._what_stays()}\n{more}".rstrip()
        outcome = Outcome(
            ops_commit=self.ops_commit,
            values=self.values,
            phase=phase,
            message=message_text(message),
            receipt=receipt,
            began=began,
            ended=time.time(),
            spec_folders=folders,
        )
        if phase == "succeeded" and release:
            release.write(outcome)
            self._environment.switch(release)
        self._environment.tidy()
        return outcome

    def _what_stays(self) -> str:
        current = self._environment.current()
        outcome = current.outcome if current else None
        if outcome is None:
            return f"{self.target.environment} has nothing yet that runs"
        source = outcome.values.source
        return f"{self.target.environment} stays as it was, on {short(source.ref)} ({source.commit[:12]})"


class ScheduledRun(Job):
    """Runs some pipelines again, on what is current; what comes out is current then, if they succeed."""

    def __init__(
        self,
        means: JobContext,
        target: Target,
        environment: LocalEnvironment,
        deployed: Outcome,
        due: Sequence[Pipeline],
    ) -> None:
        super().__init__(means, target, environment, deployed.values, deployed.ops_commit)
        self._deployed = deployed
        self._ids = [pipeline.id for pipeline in due]

    def run(self) -> bool:
        """Always True: the next time is the schedule's."""
        log: list[str] = []
        receipt = None
        try:
            current = self._environment.current()
            if current is None:
                raise ClusterError("what was deployed is gone")
            release = self._begin()
            shutil.copytree(current.source, release.source, symlinks=True)
            receipt, _ = self._follow(release, self._ids, lambda _message, more: log.append(more))
            phase, message = verdict(receipt)
            if phase == "succeeded":
                message += self._publish(release, self._deployed.spec_folders, self._deployed.began)
                if current.storage.exists() and not release.storage.exists():
                    shutil.copytree(current.storage, release.storage)
                release.write(self._deployed)
                self._environment.switch(release)
        except (DppctlError, OSError) as error:
            phase, message = "failed", str(error)
        if not self._stopped.is_set() or phase == "succeeded":
            self._tell("scheduled", f"{', '.join(self._ids)} {phase} by schedule: {message}", "".join(log), receipt)
            self._log.info("ran by schedule", pipelines=",".join(self._ids), phase=phase)
        self._environment.tidy()
        return True
