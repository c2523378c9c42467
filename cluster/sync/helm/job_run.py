"""Follows the Job of a release to its end: how far it is, and in the end its receipt or why there is none."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from bot.kubernetes import ApiAwayError, ApiError, KubernetesClient, KubernetesError, Object
from bot.model.receipt import Receipt
from bot.model.values import Values
from cluster.errors import ClusterError
from cluster.limits import EVENTS_SECONDS, JOB_LOOK_SECONDS, JOB_START_SECONDS, LOG_AWAY_SECONDS
from cluster.sync.helm import pod_status
from cluster.sync.helm.events import lost_node, refused_pods
from cluster.sync.helm.job_log import JobLog
from cluster.sync.progress import Progress

# What a Job's ttlSecondsAfterFinished is to be when its end was seen; before that it has none, so that it is not gone.
TTL = "dppctl.io/ttl-seconds-after-finished"


@dataclass(frozen=True)
class JobLimits:
    """Limits of a Job, in seconds; 0: none."""

    start: float = JOB_START_SECONDS  # that an image may not be there, or a Secret, before the deployment fails
    run: float = 0.0  # of the whole Job, beside its own activeDeadlineSeconds


class JobError(ClusterError):
    """The Job failed and left no receipt; the message says why."""


class JobGoneError(ClusterError):
    """The Job is not there, so how it ended was not seen; `ran`: it was seen before that."""

    def __init__(self, message: str, *, ran: bool) -> None:
        super().__init__(message)
        self.ran = ran


@dataclass(frozen=True)
class JobEnd:
    """How a Job ended; `receipt` None: it succeeded, but its receipt is gone."""

    receipt: Receipt | None
    was_there: bool  # it had ended before this deployment began
    cause: str = ""  # what ended a Job that failed and whose receipt cannot know: its node, or want of memory
    unread: str = ""  # why its log could not be read
    unexpected: tuple[str, ...] = ()  # what of its data is not as expected, a line each; so nothing of it was taken
    taken: tuple[str, ...] = ()  # the same of data that somebody took; or that all is as expected
    is_gone: bool = False  # what it was to go back to, so nothing ran


class JobRun:
    """One Job; `follow` it, then ask for its `end`."""

    def __init__(
        self,
        api: KubernetesClient,
        namespace: str,
        name: str,
        values: Values,
        limits: JobLimits,
        reported_log: str = "",
    ) -> None:
        """Take the values that are deployed, for the receipt, and `reported_log` of a JobRun to go on from."""
        self._api = api
        self.namespace = namespace
        self.name = name
        self._limits = limits
        self._until = time.monotonic() + (limits.run or math.inf)
        self._progress = Progress()
        self._stopped = threading.Event()
        self._log = JobLog(api, namespace, values, reported_log)
        self._reported_log = self._log.position
        self._pod: Object | None = None  # as it was seen last
        self._seen = False
        self._asked, self._refusal = time.monotonic(), ""  # why its pod was refused, and when that was looked for
        self._silent_since = math.inf  # that the log cannot be opened

    @property
    def reported_log(self) -> str:
        """Return up to where `follow` yielded the log: a pod and the time of a line."""
        return str(self._progress.last.get("position", self._reported_log))

    def stop(self) -> None:
        """Have `follow` return soon. The Job goes on."""
        self._stopped.set()
        self._log.stop()

    def follow(self) -> Iterator[tuple[str, str]]:
        """Yield messages and log until the Job ends. Raises JobError when it does not start or takes too long."""
        often, seldom = JOB_LOOK_SECONDS
        said, broken_since, pause = "", math.inf, often
        while not self._stopped.is_set():
            try:  # what cannot be looked at now goes on, and is asked again, as long as it takes
                if pod_status.end_of(job := self._job()):
                    return
                self._put_off_expiry(job)
                if replaced := self._look_at_pods():
                    yield replaced, ""
                pod = self._pod or {}
                problem, message = "", ""
                if self._has_news(pod):
                    yield from self._tell(pod)
                    message = self._why_silent(pod)
                    pause = pause if self._log.problem else often
                else:
                    problem = pod_status.broken(pod) or self._refused(job, pod)
                    message = problem or pod_status.waits_for(pod) or self._log.last_of_begin(pod)
                if message and message != said:
                    said, pause = message, often
                    yield message, ""
                broken_since = min(broken_since, time.monotonic()) if problem else math.inf
                if time.monotonic() - broken_since > self._limits.start:
                    self._give_up(f"the pipelines did not start within {self._limits.start:g} seconds: {problem}")
            except KubernetesError as error:
                if isinstance(error, ApiError) and (message := f"the Job cannot be looked at: {error}") != said:
                    said = message
                    yield message, ""
            self._check_time()
            self._stopped.wait(pause)
            pause = min(1.2 * pause, seldom)

    def _look_at_pods(self) -> str:
        """Look at the pod that tries now; where it is another one than before, return why."""
        pods, before = self._pods(), self._pod
        newest = pod_status.newest(pods)
        self._pod = newest or before
        if before is None or newest is None or pod_status.name_of(newest) == pod_status.name_of(before):
            return ""
        name = pod_status.name_of(before)
        old = next((pod for pod in pods if pod_status.name_of(pod) == name), None)
        why = pod_status.why_failed(old) if old and not pod_status.is_deleted(old) else pod_status.DELETED
        return f"pod {name}: {why or 'it failed'}; the pipelines run again in pod {pod_status.name_of(newest)}"

    def _refused(self, job: Object, pod: Object) -> str:
        """Return why the Job's pod is refused; empty when there is one, or that is not known."""
        if pod or time.monotonic() < self._asked + EVENTS_SECONDS:
            return "" if pod else self._refusal
        self._asked, made = time.monotonic(), datetime.fromisoformat(job["metadata"]["creationTimestamp"])
        with suppress(ApiError):  # an older Role has no right to read events
            self._refusal = "; ".join(refused_pods(self._api, self.namespace, self.name, made)[-1:])
        return self._refusal

    def _has_news(self, pod: Object) -> bool:
        state = pod_status.state_of(pod)
        return "running" in state or ("terminated" in state and self._log.pod != pod_status.name_of(pod))

    def _tell(self, pod: Object) -> Iterator[tuple[str, str]]:
        for news in self._progress.follow(self._log.events(pod)):
            yield news
            self._check_time()

    def _why_silent(self, pod: Object) -> str:
        """Return why the log of a pod that runs cannot be opened for some time; empty when it can."""
        if not self._log.problem:
            self._silent_since = math.inf
            return ""
        self._silent_since = min(self._silent_since, time.monotonic())
        if time.monotonic() - self._silent_since < EVENTS_SECONDS:
            return ""
        with suppress(ApiError):  # an older Role has no right to read events
            if lost := lost_node(self._api, self.namespace, pod):
                return lost
        return f"the log of pod {pod_status.name_of(pod)} cannot be read, and is asked for again: {self._log.problem}"

    def _check_time(self) -> None:
        if time.monotonic() > self._until:
            self._give_up(f"the pipelines took longer than {self._limits.run:g} seconds (DPPCTL_JOB_SECONDS)")

    def _give_up(self, why: str) -> None:
        self._api.delete(self._path)  # or it would go on when nobody waits for it any more
        raise JobError(why)

    def end(self, began: datetime | None) -> JobEnd:
        """Return how it ended; `began`: when the deployment did.

        Raises JobError for one that failed without a receipt, JobGoneError, ApiError and ApiAwayError.
        """
        job = self._job()
        ended = pod_status.end_of(job)
        if ended is None:
            raise JobError(f"the Job {self.name} has not ended")
        pod = pod_status.newest(self._pods())
        receipt, unread = self._receipt(pod) if pod else (None, "")
        made = datetime.fromisoformat(job["metadata"]["creationTimestamp"])
        was_there = began is not None and made < began.replace(microsecond=0)
        succeeded, said = ended
        if succeeded:
            return JobEnd(receipt, was_there, unread=unread, taken=tuple(pod_status.taken(pod or {})))
        if unexpected := pod_status.unexpected(pod or {}):
            return JobEnd(receipt, was_there, unread=unread, unexpected=tuple(unexpected.splitlines()))
        if pod_status.is_not_kept(pod or {}):
            return JobEnd(None, was_there, is_gone=True)
        cause = pod_status.ended_from_outside(pod) if pod else pod_status.DELETED if self._pod else ""
        # With a receipt that is good, what failed is the taking or the copying of what came out.
        if receipt is None or receipt.status == "succeeded":
            invalid = "\n".join(self._progress.invalid or self._log.invalid)
            reason = "\n".join(filter(None, (cause, invalid))) or (pod_status.why_failed(pod) if pod else "")
            log = f"; its log cannot be read: {unread}" if unread else ""
            again = "; this Job ran before, and runs again when its image or its settings change" if was_there else ""
            raise JobError(f"{reason or said or 'the Job failed'}{log}{again}")
        return JobEnd(receipt, was_there, cause)

    def _receipt(self, pod: Object) -> tuple[Receipt | None, str]:
        """Return the receipt, and why the log could not be read when the pod's own status had to do.

        A log that is away while the API answers (its node is lost, a kubelet that has only errors) is waited for a
        while: the Job has ended, and that is to be told.
        """
        end = time.monotonic() + LOG_AWAY_SECONDS
        while True:
            try:
                return self._log.receipt(pod), ""
            except ApiAwayError as error:
                self._job()  # raises where all of the API is away
                if self._stopped.wait(JOB_LOOK_SECONDS[0]):
                    raise
                if time.monotonic() > end:
                    return self._log.summary(pod), error.reason

    def _job(self) -> Object:
        found = self._api.get(self._path)
        if found is None:
            raise JobGoneError(f"the Job {self.name} is gone", ran=self._seen)
        self._seen = True
        return found

    def _put_off_expiry(self, job: Object) -> None:
        """Take the TTL from a Job, as a note for later: one that is removed before its end was seen has no receipt."""
        seconds = job["spec"].get("ttlSecondsAfterFinished")
        if seconds is not None:
            note = {"metadata": {"annotations": {TTL: str(seconds)}}, "spec": {"ttlSecondsAfterFinished": None}}
            self._api.patch(self._path, note)

    def receipt_of_gone(self) -> Receipt | None:
        """Return the receipt of a Job that is gone, as far as its log was read or its pod was seen; None: unknown."""
        return self._log.receipt(self._pod) if self._pod else None

    def _pods(self) -> list[Object]:
        return self._api.list(f"/api/v1/namespaces/{self.namespace}/pods", f"job-name={self.name}")

    @property
    def _path(self) -> str:
        return f"/apis/batch/v1/namespaces/{self.namespace}/jobs/{self.name}"
