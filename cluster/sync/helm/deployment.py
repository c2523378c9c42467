"""One thing that is done to one environment of the cluster, from the decision to the report; in a thread of its own.

Each step is written down before it is taken (`records.py`), so that a kill at any moment leaves nothing to guess.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from bot.events import Phase, Receipt
from bot.values import Values
from cluster.errors import ClusterError
from cluster.sync.helm import cleaning, records
from cluster.sync.helm.api import ApiAwayError, ApiError
from cluster.sync.helm.decide import BUSY, Action, Record, Release
from cluster.sync.helm.drift import find_drift
from cluster.sync.helm.job_run import JobError, JobRun
from cluster.sync.helm.manifests import job_of
from cluster.sync.helm.means import Means, files_for_helm, read_values_files
from cluster.sync.helm.program import HelmAwayError, HelmBusyError, HelmError, Revision
from cluster.sync.helm.releases import manifest, newest, unlock
from cluster.sync.helm.wanted import Place, Wanted
from cluster.sync.outcome import End, Outcome, message_text, verdict
from cluster.sync.report import sync_event
from cluster.sync.repositories import values_of

_SLOT_SECONDS = 0.5  # between two looks whether to go on waiting
_PLACE_SECONDS = 10.0  # of a Job's log that a kill makes be told again, at most

_log = logging.getLogger("dppctl.sync")


class UnusableError(ClusterError):
    """What the bot's values file says can never be deployed."""


class _StoppedError(Exception):
    """Something newer is to be deployed, or the program ends; the record says how to go on."""


class Deployment:
    """`run` it; `stop` it from another thread."""

    def __init__(
        self,
        means: Means,
        place: Place,
        action: Action,
        wanted: Wanted | None,
        record: Record | None,
        release: Release | None,
        known: Sequence[str] = (),
    ) -> None:
        """`release`: the newest when `action` was decided; `known`: the drift that the last check found."""
        self.place = place
        self.wanted = wanted
        self._means = means
        self.action = action
        self._is_new = record is None
        self._record = record or Record(wanted.fingerprint if wanted else "", "deploying")
        self._release = release
        self._known = list(known)
        self.drift: list[str] = []  # that a check found
        self._stop = threading.Event()
        self.superseded = False
        self._job: JobRun | None = None
        self._place_kept = time.monotonic()
        self._values: Values | None = None
        self._ops_commit = ""
        self._began = datetime.now(UTC)

    def stop(self, *, superseded: bool = False) -> None:
        """`run` returns soon."""
        self.superseded = superseded
        self._stop.set()
        if job := self._job:
            job.stop()

    def tell_problem(self, message: str) -> None:
        """To the bot: it cannot be deployed as things are. It is tried again."""
        self._tell("failed", message)

    def run(self) -> None:
        """Do it. Raises UnusableError; or BotError or ClusterError, when it is to be tried again later."""
        work = {
            Action.DEPLOY: self._deploy,
            Action.FOLLOW: self._follow_again,
            Action.ROLL_BACK: self._roll_back,
            Action.REPORT: self._tell_end_again,
            Action.CHECK: self._check,
            Action.PRUNE: self._prune,
            Action.TELL_REMOVED: self._tell_removed,
        }[self.action]
        try:
            work()
        except (_StoppedError, HelmAwayError):
            if not self._stop.is_set():
                raise
            if self.superseded:
                self._tell("superseded", "stopped: something newer is to run")

    def _begin(self, record: Record) -> None:
        """The first thing that is written in a namespace tells whether it is there."""
        try:
            self._write(record)
        except ApiError as error:
            if error.status != 404:
                raise
            name = self.place.namespace
            raise ApiError(f"namespace {name} is not there; create it, with sync's Role (docs/sync.md)", 404) from None

    def _deploy(self, why: str = "") -> None:
        try:
            with self._slot():  # also for what is read: else all that wait for helm would read first
                wanted, contents = self._read_values()
                before = self._release
                revision, good = (before.revision, self._record.good) if before else (0, 0)
                if before and self._is_new and before.status == "deployed":
                    good = revision  # deployed by hand before sync came: it is what to go back to
                self._begin(Record(wanted.fingerprint, "deploying", revision, good, reported=False))
                usual = f"helm upgrade of {self.place.release} in namespace {self.place.namespace}"
                self._tell("started", why or usual)
                deployed = self._upgrade(wanted, contents, before)
        except HelmError as error:
            self._helm_failed(str(error))
        except HelmBusyError:  # what is pending is not of a helm of ours that was killed
            self._write(self._record.with_("deploying", revision=self._newest_revision()))
            raise
        else:
            self._follow(deployed)

    def _upgrade(self, wanted: Wanted, contents: Mapping[str, bytes], before: Release | None) -> Revision:
        place, api, helm = self.place, self._means.api, self._means.helm
        if before and before.status in BUSY:
            self._log(logging.WARNING, f"release left as {before.status} revision={before.revision}; repaired")
            unlock(api, place.namespace, place.release, before.revision)
        with files_for_helm(self._means, place, wanted, contents) as (chart, values):
            return helm.upgrade(place.release, place.namespace, chart, values, wanted.fingerprint, self._stop)

    def _helm_failed(self, message: str) -> None:
        """Helm has rolled back already. A Job that failed at once looks to helm like an object that is broken."""
        job = cleaning.newest_job(self._means.api, self.place, since=self._began)
        receipt = None
        if job:
            with suppress(JobError, ApiError):
                receipt = self._job_run(job).end(self._since).receipt
        if receipt and receipt.status != "succeeded":
            _, message = verdict(receipt)
        now = self._newest()
        is_back = now is not None and now.status == "deployed" and self._record.good > 0
        self._record = self._record.with_(
            "failing", revision=now.revision if now else 0, good=now.revision if now and is_back else self._record.good
        )
        stays = "it stays as it was" if is_back else "nothing of it runs yet"
        self._end("failed", f"{_first(message)}\n{stays}\n{_rest(message)}".rstrip(), receipt)

    def _follow(self, deployed: Revision) -> None:
        """Helm is done; so is the deployment when its Job is."""
        place, good, revision = self.place, self._record.good, deployed.number
        assert self.wanted is not None  # noqa: S101 (for mypy)
        running = Record(self.wanted.fingerprint, "running", revision, good, reported=False, told=self._record.told)
        name = job_of(deployed.manifest)
        if name is None:
            self._record = running.with_("succeeded", good=revision)
            return self._end("succeeded", "deployed; there is no pipeline to run", None)
        self._write(running)
        job = self._job = self._job_run(name)
        receipt: Receipt | None = None
        try:
            if self._stop.is_set():
                job.stop()
            for message, log in job.follow():
                self._tell("progress", message, log)
                self._keep_place(job.told, _PLACE_SECONDS)
            if self._stop.is_set():
                self._keep_place(job.told)
                raise _StoppedError
            ended = job.end(self._since)
            receipt = ended.receipt
            end, message = verdict(receipt) if receipt else ("succeeded", "the Job succeeded; its receipt is gone")
            if ended.was_there:
                message += "; it ran already"
        except JobError as error:
            end, message = "failed", str(error)
        finally:
            self._job = None
        if end == "succeeded":
            self._record = self._record.with_("succeeded", good=revision)
            cleaning.remove_old_jobs(self._means.api, place, name)
            return self._end("succeeded", message, receipt)
        back = f"rolled back to revision {good}" if good else "it is the first release, so it stays as it is"
        text = f"{_first(message)}\n{place.target.environment}: {back}\n{_rest(message)}".rstrip()
        return self._roll_back(self._keep("failing", "failed", text, receipt))

    def _keep_place(self, told: str, seconds: float = 0.0) -> None:
        """After a restart the log is told from there. Not more often than each `seconds`."""
        if told != self._record.told and time.monotonic() - self._place_kept >= seconds:
            with suppress(ApiAwayError):  # then lines may be told twice
                self._write(self._record.with_("running", told=told))
            self._place_kept = time.monotonic()

    def _roll_back(self, outcome: Outcome | None = None) -> None:
        """From `failing`, whose outcome is written down, to `failed`."""
        place, good = self.place, self._record.good
        revision, changed = self._record.revision, None
        outcome = outcome or records.outcome(self._means.api, place)
        if good:
            try:
                with self._slot():
                    if (now := self._newest()) and now.status in BUSY:
                        unlock(self._means.api, place.namespace, place.release, now.revision)
                    self._means.helm.roll_back(place.release, place.namespace, good, self._stop)
                # It made a copy of the good one, which helm forgets later than that.
                good = revision = self._newest_revision()
            except HelmError as error:
                revision = self._newest_revision()
                if outcome:
                    text = f"{outcome.message}\nIt could not be rolled back: {error}"
                    outcome = changed = outcome.model_copy(update={"message": message_text(text)})
        self._write(self._record.with_("failed", revision=revision, good=good), changed)
        self._tell_end(outcome)

    def _follow_again(self) -> None:
        """After a restart."""
        self._read_values()
        place, revision = self.place, self._newest_revision()
        self._follow(Revision(revision, manifest(self._means.api, place.namespace, place.release, revision)))

    def _tell_removed(self) -> None:
        self._log(logging.WARNING, "removed from the ops repo; its release stays (DPPCTL_SYNC_PRUNE)")
        self._write(self._record.with_("removed"))

    def _prune(self) -> None:
        with self._slot():
            self._means.helm.uninstall(self.place.release, self.place.namespace, self._stop)
        cleaning.remove_jobs(self._means.api, self.place)
        records.forget(self._means.api, self.place)
        self._log(logging.INFO, "uninstalled: the ops repo no longer names it; its volumes stay")

    def _check(self) -> None:
        """Look for drift, and repair it when that is asked for and may help."""
        api, place, revision = self._means.api, self.place, self._record.revision
        self.drift = find_drift(api, place, manifest(api, place.namespace, place.release, revision))
        if self.drift == self._known:
            return  # none; or that was told before, and mending did not help
        for line in self.drift:
            self._log(logging.WARNING, f"changed by hand: {line}")
        if self.drift and self._means.repair:
            self._deploy("repairing what was changed by hand: " + "; ".join(self.drift))

    def _end(self, end: End, message: str, receipt: Receipt | None) -> None:
        self._tell_end(self._keep("succeeded" if end == "succeeded" else "failed", end, message, receipt))

    def _keep(self, phase: Any, end: End, message: str, receipt: Receipt | None) -> Outcome:
        """Write the outcome down, with the phase that comes next."""
        assert self._values is not None  # noqa: S101 (for mypy)
        outcome = Outcome(
            ops_commit=self._ops_commit,
            values=self._values,
            phase=end,
            message=message_text(message),
            receipt=receipt,
            began=self._began.timestamp(),
            ended=time.time(),
            spec_folders=(),
        )
        self._write(self._record.with_(phase, reported=False), outcome)
        return outcome

    def _tell_end_again(self) -> None:
        self._tell_end(records.outcome(self._means.api, self.place))

    def _tell_end(self, outcome: Outcome | None) -> None:
        """Until it was heard: a report that fails is tried again at a later look."""
        if outcome:
            event = sync_event(
                self.place.target,
                outcome.ops_commit,
                outcome.values.source,
                outcome.phase,
                outcome.message,
                "",
                outcome.receipt,
            )
            self._means.report(event)
            commit, revision = outcome.values.source.commit, self._record.revision
            why = f" error={_first(outcome.message)}" if outcome.phase == "failed" else ""
            self._log(logging.INFO, f"deployed commit={commit} phase={outcome.phase} revision={revision}{why}")
        self._write(self._record.with_(self._record.phase, reported=True))

    def _read_values(self) -> tuple[Wanted, Mapping[str, bytes]]:
        """What is to be deployed, and its values files. Raises UnusableError, and BotError when git fails."""
        assert self.wanted is not None  # noqa: S101 (for mypy)
        target = self.place.target
        contents = read_values_files(self._means, self.place, self.wanted)
        values = values_of(target, contents[target.values_file])
        with self._means.repositories.use(target.ops.repository) as ops:
            self._ops_commit = ops.last_change(target.values_file)
        if not isinstance(values, Values):
            raise UnusableError(str(values or f"{target.values_file} is gone"))
        self._values = values
        return self.wanted, contents

    def _job_run(self, name: str) -> JobRun:
        assert self._values is not None  # noqa: S101 (for mypy)
        return JobRun(self._means.api, self.place.namespace, name, self._values, self._means.limits, self._record.told)

    @property
    def _since(self) -> datetime | None:
        """A Job that is older ran for an earlier deployment. None: that cannot be told any more."""
        return None if self.action is Action.FOLLOW else self._began

    def _newest(self) -> Release | None:
        return newest(self._means.api, self.place.namespace, self.place.release)

    def _newest_revision(self) -> int:
        found = self._newest()
        return found.revision if found else 0

    def _write(self, record: Record, outcome: Outcome | None = None) -> None:
        records.write(self._means.api, self.place, record, outcome)
        self._record = record

    def _tell(self, phase: Phase, message: str, log: str = "") -> None:
        """How far it is; the deployment goes on when nobody hears."""
        if self._values is None:
            return
        source = self._values.source
        event = sync_event(self.place.target, self._ops_commit, source, phase, message, log, None)
        try:
            self._means.report(event)
        except ClusterError as error:
            self._log(logging.WARNING, f"not reported phase={phase} error={error}")

    def _log(self, level: int, text: str) -> None:
        target = self.place.target
        _log.log(level, "app=%s environment=%s %s", target.app, target.environment, text)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        """One of the few helms that run at a time."""
        while not self._means.slots.acquire(timeout=_SLOT_SECONDS):
            if self._stop.is_set():
                raise _StoppedError
        try:
            if self._stop.is_set():
                raise _StoppedError
            yield
        finally:
            self._means.slots.release()


def _first(message: str) -> str:
    return message.partition("\n")[0]


def _rest(message: str) -> str:
    return message.partition("\n")[2]
