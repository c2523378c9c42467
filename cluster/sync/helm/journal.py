"""What is written down of a deployment in the cluster, and reported of it to the bot and in the log.

Each step is written down before it is taken, so that a kill at any moment leaves nothing to guess.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from bot.errors import PermanentError
from bot.kubernetes import KubernetesError, NotThereError
from bot.logs import get_logger
from bot.model.next_runs import PipelineSchedule
from bot.model.receipt import Receipt
from bot.model.reports import Phase
from bot.model.trailers import RESTORED_FORM, read_restored
from bot.model.values import Values
from cluster.errors import ClusterError
from cluster.limits import LOG_POSITION_SECONDS
from cluster.sync.helm import records
from cluster.sync.helm.context import ChartFacts, SyncContext, read_values_files, ttl_of
from cluster.sync.helm.desired import Desired, ReleaseTarget
from cluster.sync.helm.manifests import schedules_of
from cluster.sync.helm.releases import RevisionGoneError, manifest
from cluster.sync.helm.state import Record, ReleasePhase
from cluster.sync.outcome import End, Outcome, message_text
from cluster.sync.reporter import sync_event
from cluster.sync.repositories import asker_of, deliveries_of, values_of

_log = get_logger("dppctl.sync")


class UnusableError(ClusterError, PermanentError):
    """What the bot's values file says can never be deployed."""


class RefusedError(ClusterError, PermanentError):
    """The cluster refuses what is to be done: a person must change something in it."""


class Journal:
    """Writes down and reports one deployment."""

    def __init__(self, context: SyncContext, location: ReleaseTarget, record: Record) -> None:
        """Take what was written down last."""
        self.record = record
        self.log = _log.bind(app=location.target.app, environment=location.target.environment)
        self.deliveries: Sequence[str] = ()  # of webhooks, that it was made for; known once it was read
        self.ttl: int | None = None  # that values give the Job; once they were read
        self.began = datetime.now(UTC)
        self._context = context
        self.location = location
        self._values: Values | None = None
        self._ops_commit = ""
        self._restored = ""  # the ops commit whose data is wanted back; "": the values are to run
        self._number: int | None = None  # of the deployment, once the receiver has said it
        self.is_gone = False  # what is wanted back
        self._position_written = time.monotonic()

    def read(self, desired: Desired) -> Mapping[str, bytes]:
        """Return the values files of what is to be deployed, by path; what is reported from here on is about that.

        Raises UnusableError, and DppctlError when git fails.
        """
        target = self.location.target
        contents = read_values_files(self._context, self.location, desired)
        self.ttl = ttl_of(contents)
        values = values_of(target, contents[target.values_file])
        with self._context.repositories.open(target.ops.repository) as ops:
            self._ops_commit, self._restored = read_restored(ops.last_change(target.values_file, RESTORED_FORM))
        self._bind(self._ops_commit)
        if not isinstance(values, Values):
            raise UnusableError(str(values or f"{target.values_file} is gone"))
        self._values = values
        return contents

    def _bind(self, ops_commit: str) -> None:
        """Have the lines of the log name the webhook deliveries that an ops commit was made for."""
        self.deliveries = deliveries_of(self._context.repositories, self.location.target, ops_commit)
        if self.deliveries:
            self.log = self.log.bind(delivery=",".join(self.deliveries))

    @property
    def is_read(self) -> bool:
        """Return whether it is known what reports are about."""
        return self._values is not None

    @property
    def values(self) -> Values:
        """Return the bot's values that were read."""
        assert self._values is not None  # noqa: S101 (for mypy)
        return self._values

    @property
    def facts(self) -> ChartFacts:
        """Return what the chart is told."""
        return ChartFacts(deployment=self._number, restores=bool(self._restored))

    @property
    def asker(self) -> str:
        """Return who asked for it, and why; "" where nobody did."""
        return asker_of(self._context.repositories, self.location.target, self._ops_commit)

    def with_note(self, message: str, goes_back: bool) -> str:
        """Return what to say of a deployment that succeeded; `goes_back`: its Job could go back to what it left."""
        return f"{message}; back to what it was, nothing ran" if self._restored and goes_back else message

    def begin(self, record: Record) -> None:
        """Write the first record, and say so in one line when its namespace does not exist."""
        try:
            self.write(record)
        except NotThereError as error:
            name = self.location.namespace
            text = f"namespace {name} is not there; create it, with sync's Role (docs/sync.md)"
            raise NotThereError(text, 404, error.reason, error.kind) from None

    def write(self, record: Record, outcome: Outcome | None = None) -> None:
        """Write the record; the outcome stays as it is without a new one. Raises ApiError and ApiAwayError."""
        records.write(self._context.api, self.location, record, outcome)
        self.record = record

    def write_reported_log(self, reported_log: str, *, now: bool = False) -> None:
        """Write, now and then, up to where the Job's log was reported: after a restart sync goes on from there."""
        is_due = now or time.monotonic() - self._position_written >= LOG_POSITION_SECONDS
        if reported_log != self.record.reported_log and is_due:
            with suppress(KubernetesError):  # then lines may be reported twice
                self.write(self.record.with_("running", reported_log=reported_log))
            self._position_written = time.monotonic()

    def kept(self, job: str, goes_back: bool) -> tuple[str, ...] | None:
        """Return the ops commits whose data is there once this Job succeeded, as `Outcome.kept` says it."""
        before = records.outcome(self._context.api, self.location)
        known = (before and before.kept) or ()
        if not goes_back:
            return () if known else None
        if before and before.phase == "succeeded" and not known:
            known = (before.ops_commit,)
        earlier = known[:-1] if job == self.record.job else known[-1:]  # a Job that ran already changed nothing
        return (*(commit for commit in earlier if commit != self._ops_commit), self._ops_commit)

    def kept_still(self) -> tuple[str, ...] | None:
        """Return the same after a deployment that failed."""
        before = records.outcome(self._context.api, self.location)
        kept = before.kept if before else None
        return kept[-1:] if kept and self.is_gone else kept

    def write_end(
        self,
        phase: ReleasePhase,
        end: End,
        message: str,
        receipt: Receipt | None,
        kept: tuple[str, ...] | None = None,
    ) -> Outcome:
        """Write and return how it ended, with the phase that comes next."""
        outcome = Outcome(
            ops_commit=self._ops_commit,
            values=self.values,
            phase=end,
            message=message_text(message),
            receipt=receipt,
            began=self.began.timestamp(),
            ended=time.time(),
            kept=kept,
            deployment=self._number,
        )
        self.write(self.record.with_(phase, reported=False), outcome)
        return outcome

    def tell_end(self, outcome: Outcome | None) -> None:
        """Report how it ended, and write that down. Raises ClusterError when nobody takes it."""
        if outcome:
            if not self.deliveries:
                self._bind(outcome.ops_commit)
            source, phase, text = outcome.values.source, outcome.phase, outcome.message
            ops_commit, receipt = outcome.ops_commit, outcome.receipt
            schedules, target = self._schedules(), self.location.target
            self._context.report(
                sync_event(target, ops_commit, source, phase, text, "", receipt, outcome.kept, schedules)
            )
            error = {"error": text.partition("\n")[0]} if phase == "failed" else {}
            rows = receipt.rows if receipt else None
            self.log.info(phase, commit=source.commit, revision=self.record.revision, rows=rows, **error)
        self.write(self.record.with_(self.record.phase, reported=True))

    def _schedules(self) -> tuple[PipelineSchedule, ...] | None:
        """Return what of the release runs by the clock from now on; None: that cannot be seen now."""
        revision, location = self.record.revision, self.location
        try:
            text = manifest(self._context.api, location.namespace, location.release, revision) if revision else ""
        except (KubernetesError, RevisionGoneError) as error:
            self.log.warning("schedules not seen", error=error)
            return None
        return schedules_of(text)

    def tell_end_again(self) -> None:
        """Report the end that was written down."""
        self.tell_end(records.outcome(self._context.api, self.location))

    def tell(self, phase: Phase, message: str, log: str = "") -> None:
        """Report how far it is; the deployment goes on when the receiver does not take that."""
        if self._values is None:
            return
        if phase == "started":
            self.log.info("started", commit=self._values.source.commit)
        event = sync_event(self.location.target, self._ops_commit, self._values.source, phase, message, log, None)
        try:
            self._number = self._context.report(event) or self._number
        except ClusterError as error:
            self.log.warning("not reported", phase=phase, error=error)
