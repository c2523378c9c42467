"""What is done to one environment of the cluster, as a job: from the decision to the report.

What is written down and reported of it is in `journal.py`, what helm does in `release_changes.py`, how its Job is
followed in `job_run.py`.
"""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial

from bot.errors import DppctlError, PermanentError, may_pass, reason_of
from bot.kubernetes import ApiError, NotThereError
from bot.model.receipt import Receipt
from cluster.sync.helm import old_jobs, records, release_volumes
from cluster.sync.helm.context import SyncContext
from cluster.sync.helm.desired import Desired
from cluster.sync.helm.drift_check import check_drift
from cluster.sync.helm.events import told_while
from cluster.sync.helm.follow import follow_job
from cluster.sync.helm.helm import HelmAwayError, HelmBusyError, HelmError, HelmRefusedError, Revision
from cluster.sync.helm.job_run import JobError, JobGoneError, JobRun
from cluster.sync.helm.journal import Journal, RefusedError
from cluster.sync.helm.manifests import goes_back, job_of
from cluster.sync.helm.release_changes import Changes, ReleaseStoppedError
from cluster.sync.helm.state import BUSY, Decision, DriftCheck, HelmRelease, Record, ReleaseAction
from cluster.sync.outcome import End, Outcome, message_text, verdict, with_second_line


class DeploymentRun:
    """A job of the scheduler: what was decided about one environment."""

    def __init__(self, context: SyncContext, decision: Decision) -> None:
        """Take what was decided; `run` does it."""
        state = decision.state
        self.decision = decision
        self._location, self._desired = state.location, state.desired
        self._context = context
        self._superseded = False
        self._stop = threading.Event()
        before = state.record or Record(state.desired.fingerprint if state.desired else "", "deploying")
        self._journal = Journal(context, state.location, before)
        self._changes = Changes(context, state.location, self._stop)
        self._job: JobRun | None = None

    @property
    def deliveries(self) -> Sequence[str]:
        """Return the ids of the webhook deliveries that it is for, once they are known."""
        return self._journal.deliveries

    def stop(self, *, superseded: bool) -> None:
        """Have `run` return soon; `superseded`: something newer is to run."""
        self._superseded = superseded
        self._stop.set()
        if job := self._job:
            job.stop()

    def run(self) -> DriftCheck | None:
        """Do it, and return what a look for drift found. What is raised is tried again; the report says why."""
        try:
            return self._run()
        except PermanentError:
            raise
        except Exception as error:
            if isinstance(error, DppctlError) or may_pass(error):
                self._tell_wait(error)
                raise
            self._journal.log.exception("deployment broke")
            if not self._end_broken(reason_of(error)):
                raise
            return None

    def _run(self) -> DriftCheck | None:
        """Do it, and return what a look for drift found.

        Raises UnusableError for values that can never work, RefusedError for what a person must change in the
        cluster, and TransientError and other DppctlErrors for another try later.
        """
        try:
            return self._work()
        except (ReleaseStoppedError, HelmAwayError):
            if not self._stop.is_set():
                raise
            if self._superseded:
                self._journal.tell(
                    "superseded", "something newer is to run; the Job is stopped unless that runs it too"
                )
            return None
        except (ApiError, HelmRefusedError) as error:
            text = str(error)
            if isinstance(error, HelmRefusedError) or error.status == 403:
                text += f"; is namespace {self._location.namespace} there, with sync's Role? See docs/sync.md"
            if text != self.decision.state.problem:
                # Whatever is refused is tried again, so it is no end; but nothing can run where there is no namespace.
                is_nowhere = isinstance(error, NotThereError) and error.kind == "namespaces"
                self._journal.tell("failed" if is_nowhere else "progress", text)
            raise RefusedError(text) from error

    def _work(self) -> DriftCheck | None:
        match self.decision.action:
            case ReleaseAction.DEPLOY:
                self._deploy()
            case ReleaseAction.FOLLOW:
                self._follow_again()
            case ReleaseAction.ROLL_BACK:
                self._roll_back()
            case ReleaseAction.REPORT:
                self._journal.tell_end_again()
            case ReleaseAction.CHECK:
                manifest = self._changes.manifest(self._journal.record.revision)
                return check_drift(self._context, self.decision, self._journal, manifest, self._stop)
            case ReleaseAction.PRUNE:
                self._prune()
            case ReleaseAction.TELL_REMOVED:
                self._tell_removed()
            case ReleaseAction.TELL_REFUSED:
                self._journal.read(self._to_deploy)
                self._journal.tell("progress", self.decision.state.refusal)
        return None

    def _deploy(self) -> None:
        journal, desired, before = self._journal, self._to_deploy, self.decision.state.release
        revision, good = (before.revision, journal.record.good) if before else (0, 0)
        if before and self.decision.state.record is None and before.status == "deployed":
            good = revision  # deployed by hand before sync came: it is what to go back to
        elif journal.record.phase == "deploying":
            good = self._rolled_back(before) or good
        api, location, say = self._context.api, self._location, partial(journal.tell, "progress")
        contents: Mapping[str, bytes] | None = None

        def upgrade() -> Revision:  # in helm's turn, also what is read: else all that wait for helm would read first
            nonlocal contents
            found = before
            if contents is None:
                contents = journal.read(desired)
                journal.begin(
                    Record(desired.fingerprint, "deploying", revision, good, reported=False, job=journal.record.job)
                )
                journal.tell("started", f"helm upgrade of {location.release} in namespace {location.namespace}")
            else:
                found = self._changes.newest()
                if back := self._rolled_back(found):
                    journal.write(journal.record.with_("deploying", good=back))
            if found and found.status in BUSY:
                journal.log.warning("release repaired", status=found.status, revision=found.revision)
            with told_while(api, location.namespace, location.release, journal.began, say):
                return self._changes.upgrade(desired, contents, found, journal.facts)

        try:
            deployed = self._changes.persist(upgrade, say)
        except HelmError as error:
            self._helm_failed(str(error))
        except HelmBusyError:  # what is pending is not of a helm of ours that was killed
            journal.write(journal.record.with_("deploying", revision=self._changes.newest_number()))
            raise
        else:
            self._follow(deployed)

    def _rolled_back(self, found: HelmRelease | None) -> int:
        """Return the revision that helm made of the good one when an upgrade failed; 0: it made none.

        Helm forgets the older ones: https://helm.sh/docs/helm/helm_upgrade/ (--history-max).
        """
        record = self._journal.record
        if found is None or not record.good or found.revision <= record.revision or found.status != "deployed":
            return 0
        return found.revision if found.fingerprint != record.fingerprint else 0

    def _helm_failed(self, message: str) -> None:
        """End a deployment that helm has rolled back; a Job that failed at once looks to helm like a broken object."""
        journal = self._journal
        job = old_jobs.newest_job(self._context.api, self._location, since=journal.began)
        receipt = None
        if job:
            with suppress(JobError, JobGoneError, ApiError):
                receipt = self._job_run(job).end(self._since).receipt
        if receipt and receipt.status != "succeeded":
            _, message = verdict(receipt)
        now = self._changes.newest()
        stopped = self._changes.stop_failed(journal.began, now)
        is_back = now is not None and now.status == "deployed" and journal.record.good > 0
        good = now.revision if now and is_back else journal.record.good
        journal.record = journal.record.with_("failing", revision=now.revision if now else 0, good=good)
        not_back = "what helm made of it stays, as it could not be removed" if now else "nothing of it runs yet"
        stays = "it stays as it was" if is_back else "rolled back" if good else not_back
        text = with_second_line(message, "; ".join([stays, *(f"its Job {name} was stopped" for name in stopped)]))
        if good and not is_back:  # helm's own rollback failed too
            self._roll_back(journal.write_end("failing", "failed", text, receipt))
        else:
            self._end("failed", text, receipt)

    def _follow_again(self) -> None:
        """Go on with a Job after a restart."""
        self._journal.read(self._to_deploy)
        revision = self._changes.newest_number()
        self._follow(Revision(revision, self._changes.manifest(revision)))

    def _follow(self, deployed: Revision) -> None:
        """Follow the release's Job, if it has one; the deployment is done when the Job is."""
        journal, revision = self._journal, deployed.number
        good, fingerprint = journal.record.good, self._to_deploy.fingerprint
        running = journal.record.with_("running", fingerprint=fingerprint, revision=revision, reported=False)
        if (name := job_of(deployed.manifest)) is None:
            journal.record = running.with_("succeeded", good=revision)
            return self._end("succeeded", "deployed; there is no pipeline to run", None)
        journal.write(running)
        try:
            end, message, receipt = self._follow_job(name)
        except JobGoneError as error:  # which says nothing of what came out: so nothing is run again for it
            journal.record = journal.record.with_("failed")
            text = f"{error}, and its end was not seen: somebody deleted it"
            return self._end("failed", f"{text}\nnothing was rolled back; `dppctl deploy` runs it again", None)
        if end == "succeeded":
            is_back = goes_back(deployed.manifest)
            kept, message = journal.kept(name, is_back), journal.with_note(message, is_back)
            journal.record = journal.record.with_("succeeded", good=revision, job=name)
            old_jobs.remove_old_jobs(self._context.api, self._location, name)
            outcome = journal.write_end("succeeded", end, message, receipt, kept)
            old_jobs.let_expire(self._context.api, self._location, name, journal.ttl)
            return journal.tell_end(outcome)
        back = f"rolled back to revision {good}" if good else "it is the first release, so it stays as it is"
        text = with_second_line(message, f"{self._location.target.environment}: {back}")
        outcome = journal.write_end("failing", "failed", text, receipt, journal.kept_still())
        old_jobs.let_expire(self._context.api, self._location, name, journal.ttl)
        return self._roll_back(outcome)

    def _follow_job(self, name: str) -> tuple[End, str, Receipt | None]:
        """Return what `follow_job` does."""
        self._job = self._job_run(name)
        try:
            return follow_job(self._job, self._context, self._journal, self._stop, self._since)
        finally:
            self._job = None

    def _roll_back(self, outcome: Outcome | None = None) -> None:
        """Go from `failing` to `failed`; `outcome`: as it was written down, None: it is read."""
        journal = self._journal
        revision, good, changed = journal.record.revision, journal.record.good, None
        outcome = outcome or records.outcome(self._context.api, self._location)
        if good:
            try:
                self._changes.persist(lambda: self._changes.roll_back(good), partial(journal.tell, "progress"))
                # It made a copy of the good one, which helm forgets later than that.
                good = revision = self._changes.newest_number()
            except HelmError as error:
                revision = self._changes.newest_number()
                if outcome:
                    text = f"{outcome.message}\nIt could not be rolled back: {error}"
                    outcome = changed = outcome.model_copy(update={"message": message_text(text)})
        journal.write(journal.record.with_("failed", revision=revision, good=good), changed)
        journal.tell_end(outcome)

    def _prune(self) -> None:
        with self._changes.turn():
            self._changes.uninstall()
        old_jobs.remove_jobs(self._context.api, self._location)
        volumes = release_volumes.remove_volumes(self._context.api, self._location)
        records.forget(self._context.api, self._location)
        self._journal.log.info(f"uninstalled: the ops repo no longer names it; its volumes {volumes}")

    def _tell_removed(self) -> None:
        self._journal.log.warning("removed from the ops repo; its release stays (DPPCTL_SYNC_PRUNE)")
        self._journal.write(self._journal.record.with_("removed"))

    def _tell_wait(self, error: Exception) -> None:
        """Report once why a deployment that has no end yet waits; it is tried again."""
        phase = self._journal.record.phase
        if phase in ("deploying", "running", "failing") and str(error) != self.decision.state.problem:
            text = f"waits, and is tried again: {reason_of(error)}"
            self._journal.tell("queued" if phase == "deploying" else "progress", text)

    def _end_broken(self, why: str) -> bool:
        """End a deployment that broke as nobody foresaw. Return False where there is none to end."""
        ended = (ReleaseAction.DEPLOY, ReleaseAction.FOLLOW, ReleaseAction.ROLL_BACK)
        if self.decision.action not in ended or not self._journal.is_read:
            return False
        self._journal.record = self._journal.record.with_("failed")
        stays = "nothing was undone: look at what runs there, then deploy again"
        self._end("failed", with_second_line(why, stays), None)
        return True

    def _end(self, end: End, message: str, receipt: Receipt | None) -> None:
        self._journal.tell_end(self._journal.write_end(end, end, message, receipt))

    @property
    def _to_deploy(self) -> Desired:
        assert self._desired is not None  # noqa: S101 (for mypy)
        return self._desired

    def _job_run(self, name: str) -> JobRun:
        journal, context = self._journal, self._context
        return JobRun(
            context.api, self._location.namespace, name, journal.values, context.limits, journal.record.reported_log
        )

    @property
    def _since(self) -> datetime | None:
        """Return the time before which a Job was made for an earlier deployment; None: not known any more."""
        return None if self.decision.action is ReleaseAction.FOLLOW else self._journal.began
