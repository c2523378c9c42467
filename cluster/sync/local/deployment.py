"""A deployment to one environment of this machine, as a job: from the source to the switch and the report."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.errors import DppctlError, may_pass, reason_of
from bot.limits import KEPT_RELEASES
from bot.logs import bind_push, get_logger
from bot.model.names import short
from bot.model.next_runs import PipelineSchedule
from bot.model.receipt import Receipt
from bot.model.registration import Target
from bot.model.reports import Phase, SyncEvent
from bot.model.values import Compared
from cluster.errors import ClusterError
from cluster.local.storage.publish import publish
from cluster.local.workers.process import WorkerHost
from cluster.local.workers.waiting import WaitingWorkers
from cluster.storage.written import NOTHING_WRITTEN, WrittenItems
from cluster.sync.expected import DataVerdict, compared_before, judge_data
from cluster.sync.local.environment import LocalEnvironment, Release, environment_folder
from cluster.sync.local.pipelines import Pipelines
from cluster.sync.local.sources import Sources
from cluster.sync.local.state import Deploy, DesiredValues, Report, Work
from cluster.sync.outcome import End, Outcome, message_text, verdict
from cluster.sync.reporter import sync_event
from cluster.sync.repositories import asker_of, deliveries_of

_log = get_logger("dppctl.sync")


@dataclass(frozen=True)
class JobContext:
    """What all jobs work with."""

    sources: Sources
    environments: Path  # the folder of their folders
    workers: WaitingWorkers
    report: Callable[[SyncEvent], int | None]  # a Reporter's `post`; raises ClusterError
    storage_url: Callable[[Target], str]
    waits: dict[Target, tuple[str, str]] = field(default_factory=dict)  # ops commit and reason: why each waits
    keeps: int = KEPT_RELEASES  # earlier releases of an environment
    ends: dict[Target, Outcome] = field(default_factory=dict)  # of deployments whose end could not be written down

    def environment(self, target: Target) -> LocalEnvironment:
        """Return a target's environment."""
        return LocalEnvironment(environment_folder(self.environments, target), self.keeps)


class EnvironmentJob(ABC):
    """A job of the scheduler, for one environment."""

    def __init__(self, context: JobContext, work: Work, desired: DesiredValues) -> None:
        """Take what is to be done, and the values and the ops commit that reports are about."""
        self.work = work
        self.deliveries: Sequence[str] = ()  # ids of the webhooks' that it is for, once it runs
        self._context = context
        self._target = work.target
        self._values = desired.values
        self._ops_commit = desired.ops_commit
        self._environment = context.environment(work.target)
        self._pipelines: Pipelines | None = None
        self._used: WorkerHost | None = None
        self._stop = threading.Event()
        self._superseded = False
        self._number: int | None = None  # of the deployment, once the receiver has said it

    def run(self) -> None:
        """Do it. What it raises is to be tried again some time later."""
        self.deliveries = deliveries_of(self._context.sources.repositories, self._target, self._ops_commit)
        with bind_push(self.deliveries, app=self._target.app, environment=self._target.environment):
            self._run()
        if self._used and not self._stop.is_set():
            self._context.workers.prepare(self._used)  # for the next; now nobody waits for this machine

    @abstractmethod
    def _run(self) -> None:
        """Do what `run` says."""

    def stop(self, *, superseded: bool) -> None:
        """Have `run` return soon; nothing of what it did so far stays. `superseded`: something newer is to run."""
        self._superseded = superseded
        self._stop.set()
        if pipelines := self._pipelines:
            pipelines.stop()

    def _begin(self) -> Release:
        return self._environment.begin(self._stop)

    def _host(self, release: Release) -> WorkerHost:
        return self._context.sources.worker_host(release, self._environment, self._values, self._stop)

    def _follow(
        self, release: Release, host: WorkerHost, ids: Sequence[str], tell: Callable[[str, str], object]
    ) -> tuple[Receipt, WrittenItems]:
        """Run pipelines; return their receipt, and what they wrote to be published. `tell` gets messages and logs."""
        self._used = host
        pipelines = Pipelines(release, self._values, ids, self._context.workers.take(host, self._target), host)
        self._pipelines = pipelines
        try:
            if self._stop.is_set():  # the stop came before there was something to stop
                pipelines.stop()
            for message, log in pipelines.follow():
                if not self._stop.is_set():
                    tell(message, log)
            return pipelines.receipt(), pipelines.written
        except BaseException:
            pipelines.stop()  # nobody hears them any more
            raise
        finally:
            self._pipelines = None

    def _before(self) -> Compared | None:
        """Return what new data is compared with."""
        current = self._environment.current()
        return compared_before(self._target.environment, current.outcome if current else None)

    def _what_stays(self) -> str:
        current = self._environment.current()
        outcome = current.outcome if current else None
        if outcome is None:
            return f"{self._target.environment} has nothing yet that runs"
        source = outcome.values.source
        return f"{self._target.environment} stays as it was, on {short(source.ref)} ({source.commit[:12]})"

    def _publish(self, release: Release, written: WrittenItems) -> str:
        """Publish what of the release's source was written, and return what to report about it."""
        publish(release.source, written, release.storage)
        return f"; published at {self._context.storage_url(self._target)}" if written.items else ""

    def _report_end(self, outcome: Outcome) -> None:
        """Record and report how the deployment ended; after a kill before the last record it is reported again.

        Raises ClusterError when the receiver does not take it, and OSError when it cannot be written down. Then it is
        known here until the next start, so that on a full disk pipelines do not run again and again.
        """
        self._context.ends[self._target] = outcome
        try:
            self._environment.record(outcome)
        except OSError:
            self._report(outcome.phase, outcome.message, receipt=outcome.receipt)
            raise
        kept = self._environment.kept_commits()
        self._report(outcome.phase, outcome.message, receipt=outcome.receipt, kept=kept)
        self._environment.record(outcome.model_copy(update={"reported": True}))
        del self._context.ends[self._target]
        rows = outcome.receipt.rows if outcome.receipt else None
        _log.info(outcome.phase, commit=outcome.values.source.commit, rows=rows)

    def _tell(self, phase: Phase, message: str, log: str = "", receipt: Receipt | None = None) -> None:
        """Report how far it is; the job goes on when the receiver does not take that."""
        try:
            self._report(phase, message, log, receipt)
        except ClusterError as error:
            _log.warning("not reported", phase=phase, error=error)

    def _schedules(self) -> tuple[PipelineSchedule, ...]:
        return tuple(
            PipelineSchedule(pipeline=pipeline.id, schedule=pipeline.schedule)
            for pipeline in self._values.pipelines
            if pipeline.schedule
        )

    def _report(
        self,
        phase: Phase,
        message: str,
        log: str = "",
        receipt: Receipt | None = None,
        kept: tuple[str, ...] | None = None,
    ) -> None:
        source = self._values.source
        schedules = self._schedules() if phase == "succeeded" else None
        event = sync_event(self._target, self._ops_commit, source, phase, message, log, receipt, kept, schedules)
        self._number = self._context.report(event) or self._number


class ReportJob(EnvironmentJob):
    """Reports a deployment that ended."""

    def __init__(self, context: JobContext, work: Report) -> None:
        super().__init__(context, work, DesiredValues(work.outcome.values, work.outcome.ops_commit))
        self._outcome = work.outcome

    def _run(self) -> None:
        """Report it. Raises ClusterError when the receiver does not take it."""
        self._report_end(self._outcome)


class DeploymentJob(EnvironmentJob):
    """Brings the environment to these values, or leaves it as it is and says why."""

    def __init__(self, context: JobContext, work: Deploy) -> None:
        super().__init__(context, work, work.desired)
        self._began = time.time()
        self._receipt: Receipt | None = None
        self._is_fetched = self._is_told = self._has_run = False

    def _run(self) -> None:
        """Deploy, and report the end, unless it was stopped.

        Raises what may pass by itself, once the deployment says why it waits. That is so only until its pipelines
        start: a second run might do once more what they did elsewhere.
        """
        try:
            outcome = self._deploy()
        except Exception as error:
            outcome = None
            if not self._stop.is_set():
                if self._is_tried_again(error):
                    self._environment.tidy()
                    self._tell_wait(error)
                    raise
                if not isinstance(error, (DppctlError, OSError)):
                    _log.exception("deployment broke")
                outcome = self._outcome("failed", reason_of(error))
        if self._stop.is_set() and not (outcome and outcome.phase == "succeeded"):
            if self._superseded and self._is_told:
                self._tell("superseded", "stopped: something newer is to run")
        elif outcome:
            self._environment.tidy()
            self._report_end(outcome)

    def _deploy(self) -> Outcome:
        """Return how it ended. Raises what keeps it from having an end."""
        sources, values = self._context.sources, self._values
        if values.image is None:
            self._context.workers.expect(self._target)  # it loads dpp's packages meanwhile
        sources.refresh(values, self._stop)
        self._is_fetched = True
        has_waited = self._context.waits.get(self._target, ("", ""))[0] == self._ops_commit
        if not has_waited:
            self._tell_start()
        release = self._begin()
        sources.fill(release, self._environment, values, self._stop)
        host = self._host(release)
        if has_waited:
            self._tell_start()
        self._context.waits.pop(self._target, None)
        self._began, self._has_run = time.time(), True
        ids = [pipeline.id for pipeline in values.pipelines]
        self._receipt, written = self._follow(
            release, host, ids, lambda message, log: self._tell("progress", message, log)
        )
        phase, message = verdict(self._receipt)
        if phase == "failed":
            return self._outcome(phase, message)
        if (verdict_of_data := self._judge(self._receipt)).failure:
            self._receipt = self._receipt.model_copy(update={"status": "failed"})
            return self._outcome("failed", verdict_of_data.failure)
        message += self._publish(release, written) + verdict_of_data.note
        outcome = self._outcome(phase, message, written)
        release.write(outcome)
        self._environment.switch(release)
        return outcome

    def _judge(self, receipt: Receipt) -> DataVerdict:
        """Return whether the environment takes what the pipelines made."""
        asker = asker_of(self._context.sources.repositories, self._target, self._ops_commit)
        return judge_data(self._target, self._values, receipt, self._before(), asker)

    def _is_tried_again(self, error: Exception) -> bool:
        """Return whether another try is to be made. What cannot be fetched now may be there later, whatever is said."""
        return not self._has_run and (may_pass(error) or (isinstance(error, DppctlError) and not self._is_fetched))

    def _tell_start(self) -> None:
        ids = [pipeline.id for pipeline in self._values.pipelines]
        _log.info("started", commit=self._values.source.commit, pipelines=",".join(ids))
        self._tell("started", f"running {', '.join(ids)}")
        self._is_told = True

    def _tell_wait(self, error: Exception) -> None:
        """Report why it is not done yet; once for each reason, as it may be tried again for days."""
        entry = (self._ops_commit, (isinstance(error, OSError) and error.strerror) or str(error))
        if self._context.waits.get(self._target) != entry:
            self._context.waits[self._target] = entry
            self._tell("queued", f"waits, and is tried again: {reason_of(error)}")

    def _outcome(self, phase: End, message: str, written: WrittenItems = NOTHING_WRITTEN) -> Outcome:
        if phase == "failed":
            reason, _, more = message.partition("\n")
            message = f"{reason}\n{self._what_stays()}\n{more}".rstrip()
        return Outcome(
            ops_commit=self._ops_commit,
            values=self._values,
            phase=phase,
            message=message_text(message),
            receipt=self._receipt,
            began=self._began,
            ended=time.time(),
            written=written,
            deployment=self._number,
        )
