"""One thing that is done to one environment of the cluster, from the decision to the report; in a thread of its own.

What is written down and told of it is in `journal.py`, what helm does in `changes.py`, the Job's story in `job_run.py`.
"""

import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from bot.kubernetes import ApiError
from bot.model.reports import Receipt
from cluster.sync.helm import old_jobs, records
from cluster.sync.helm.context import SyncContext
from cluster.sync.helm.decide import BUSY, Action, Record, Release
from cluster.sync.helm.desired import Desired, ReleaseTarget
from cluster.sync.helm.drift import find_drift
from cluster.sync.helm.helm import HelmAwayError, HelmBusyError, HelmError, Revision
from cluster.sync.helm.job_run import JobError, JobRun
from cluster.sync.helm.journal import Journal
from cluster.sync.helm.manifests import job_of
from cluster.sync.helm.release_changes import Changes, StoppedError
from cluster.sync.outcome import End, Outcome, message_text, verdict


class DeploymentRun:
    """`run` it; `stop` it from another thread."""

    def __init__(
        self,
        means: SyncContext,
        place: ReleaseTarget,
        action: Action,
        wanted: Desired | None,
        record: Record | None,
        release: Release | None,
        known: Sequence[str] = (),
    ) -> None:
        """`release`: the newest when `action` was decided; `known`: the drift that the last check found."""
        self.place = place
        self.action = action
        self.superseded = False
        self.drift: list[str] = []  # that a check found
        self.wanted = wanted
        self._means = means
        self._is_new = record is None
        self._release = release
        self._known = list(known)
        self._stop = threading.Event()
        self._journal = Journal(means, place, record or Record(wanted.fingerprint if wanted else "", "deploying"))
        self._changes = Changes(means, place, self._stop)
        self._job: JobRun | None = None

    def stop(self, *, superseded: bool = False) -> None:
        """`run` returns soon."""
        self.superseded = superseded
        self._stop.set()
        if job := self._job:
            job.stop()

    def tell_problem(self, message: str) -> None:
        """To the bot: it cannot be deployed as things are. It is tried again."""
        self._journal.tell("failed", message)

    def run(self) -> None:
        """Do it. Raises UnusableError; or DppctlError or ClusterError, when it is to be tried again later."""
        work = {
            Action.DEPLOY: self._deploy,
            Action.FOLLOW: self._follow_again,
            Action.ROLL_BACK: self._roll_back,
            Action.REPORT: self._journal.tell_end_again,
            Action.CHECK: self._check,
            Action.PRUNE: self._prune,
            Action.TELL_REMOVED: self._tell_removed,
        }[self.action]
        try:
            work()
        except (StoppedError, HelmAwayError):
            if not self._stop.is_set():
                raise
            if self.superseded:
                self._journal.tell("superseded", "stopped: something newer is to run")

    def _deploy(self, why: str = "") -> None:
        journal, wanted, before = self._journal, self._to_deploy, self._release
        revision, good = (before.revision, journal.record.good) if before else (0, 0)
        if before and self._is_new and before.status == "deployed":
            good = revision  # deployed by hand before sync came: it is what to go back to
        try:
            with self._changes.turn():  # also for what is read: else all that wait for helm would read first
                contents = journal.read(wanted)
                journal.begin(Record(wanted.fingerprint, "deploying", revision, good, reported=False))
                usual = f"helm upgrade of {self.place.release} in namespace {self.place.namespace}"
                journal.tell("started", why or usual)
                if before and before.status in BUSY:
                    journal.log.warning("release repaired", status=before.status, revision=revision)
                deployed = self._changes.upgrade(wanted, contents, before)
        except HelmError as error:
            self._helm_failed(str(error))
        except HelmBusyError:  # what is pending is not of a helm of ours that was killed
            journal.write(journal.record.with_("deploying", revision=self._changes.newest_number()))
            raise
        else:
            self._follow(deployed)

    def _helm_failed(self, message: str) -> None:
        """Helm has rolled back already. A Job that failed at once looks to helm like an object that is broken."""
        journal = self._journal
        job = old_jobs.newest_job(self._means.api, self.place, since=journal.began)
        receipt = None
        if job:
            with suppress(JobError, ApiError):
                receipt = self._job_run(job).end(self._since).receipt
        if receipt and receipt.status != "succeeded":
            _, message = verdict(receipt)
        now = self._changes.newest()
        is_back = now is not None and now.status == "deployed" and journal.record.good > 0
        good = now.revision if now and is_back else journal.record.good
        journal.record = journal.record.with_("failing", revision=now.revision if now else 0, good=good)
        stays = "it stays as it was" if is_back else "nothing of it runs yet"
        self._end("failed", _with_second_line(message, stays), receipt)

    def _follow_again(self) -> None:
        """After a restart."""
        self._journal.read(self._to_deploy)
        revision = self._changes.newest_number()
        self._follow(Revision(revision, self._changes.manifest(revision)))

    def _follow(self, deployed: Revision) -> None:
        """Helm is done; so is the deployment when its Job is."""
        journal, revision = self._journal, deployed.number
        good, told = journal.record.good, journal.record.told
        running = Record(self._to_deploy.fingerprint, "running", revision, good, reported=False, told=told)
        name = job_of(deployed.manifest)
        if name is None:
            journal.record = running.with_("succeeded", good=revision)
            return self._end("succeeded", "deployed; there is no pipeline to run", None)
        journal.write(running)
        end, message, receipt = self._follow_job(name)
        if end == "succeeded":
            journal.record = journal.record.with_("succeeded", good=revision)
            old_jobs.remove_old_jobs(self._means.api, self.place, name)
            return self._end("succeeded", message, receipt)
        back = f"rolled back to revision {good}" if good else "it is the first release, so it stays as it is"
        text = _with_second_line(message, f"{self.place.target.environment}: {back}")
        return self._roll_back(journal.write_end("failing", "failed", text, receipt))

    def _follow_job(self, name: str) -> tuple[End, str, Receipt | None]:
        """How the Job ended, what to say of it, and its receipt."""
        job = self._job = self._job_run(name)
        try:
            if self._stop.is_set():
                job.stop()
            for message, log in job.follow():
                self._journal.tell("progress", message, log)
                self._journal.write_told(job.told)
            if self._stop.is_set():
                self._journal.write_told(job.told, now=True)
                raise StoppedError
            ended = job.end(self._since)
        except JobError as error:
            return "failed", str(error), None
        finally:
            self._job = None
        receipt = ended.receipt
        end, message = verdict(receipt) if receipt else ("succeeded", "the Job succeeded; its receipt is gone")
        return end, f"{message}; it ran already" if ended.was_there else message, receipt

    def _roll_back(self, outcome: Outcome | None = None) -> None:
        """From `failing` to `failed`; `outcome`: as it was written down, None: it is read."""
        journal = self._journal
        revision, good, changed = journal.record.revision, journal.record.good, None
        outcome = outcome or records.outcome(self._means.api, self.place)
        if good:
            try:
                with self._changes.turn():
                    self._changes.roll_back(good)
                # It made a copy of the good one, which helm forgets later than that.
                good = revision = self._changes.newest_number()
            except HelmError as error:
                revision = self._changes.newest_number()
                if outcome:
                    text = f"{outcome.message}\nIt could not be rolled back: {error}"
                    outcome = changed = outcome.model_copy(update={"message": message_text(text)})
        journal.write(journal.record.with_("failed", revision=revision, good=good), changed)
        journal.tell_end(outcome)

    def _check(self) -> None:
        """Look for drift, and repair it when that is asked for and may help."""
        manifest = self._changes.manifest(self._journal.record.revision)
        self.drift = find_drift(self._means.api, self.place, manifest)
        if self.drift == self._known:
            return  # none; or that was told before, and mending did not help
        for line in self.drift:
            self._journal.log.warning("changed by hand", change=line)
        if self.drift and self._means.repair:
            self._deploy("repairing what was changed by hand: " + "; ".join(self.drift))

    def _prune(self) -> None:
        with self._changes.turn():
            self._changes.uninstall()
        old_jobs.remove_jobs(self._means.api, self.place)
        records.forget(self._means.api, self.place)
        self._journal.log.info("uninstalled: the ops repo no longer names it; its volumes stay")

    def _tell_removed(self) -> None:
        self._journal.log.warning("removed from the ops repo; its release stays (DPPCTL_SYNC_PRUNE)")
        self._journal.write(self._journal.record.with_("removed"))

    def _end(self, end: End, message: str, receipt: Receipt | None) -> None:
        self._journal.tell_end(self._journal.write_end(end, end, message, receipt))

    @property
    def _to_deploy(self) -> Desired:
        assert self.wanted is not None  # noqa: S101 (for mypy)
        return self.wanted

    def _job_run(self, name: str) -> JobRun:
        journal, means = self._journal, self._means
        return JobRun(means.api, self.place.namespace, name, journal.values, means.limits, journal.record.told)

    @property
    def _since(self) -> datetime | None:
        """A Job that is older ran for an earlier deployment. None: that cannot be told any more."""
        return None if self.action is Action.FOLLOW else self._journal.began


def _with_second_line(message: str, line: str) -> str:
    """The first line says what it is about; details come after the second."""
    first, _, rest = message.partition("\n")
    return f"{first}\n{line}\n{rest}".rstrip()
