"""Follows the Job of a release to its end: how far it is, and in the end its receipt or why there is none."""

import json
import math
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any

from pydantic import ValidationError

from bot.kubernetes import ApiAwayError, ApiError, KubernetesClient, KubernetesError, NotThereError, Object
from bot.model.receipt import Receipt
from bot.model.values import Values
from cluster.errors import ClusterError
from cluster.limits import EVENTS_SECONDS, JOB_LOOK_SECONDS, JOB_START_SECONDS, LOG_IDLE_SECONDS, MAX_RECEIPT_LINES
from cluster.sync.helm import pod_status
from cluster.sync.helm.events import refused_pods
from cluster.sync.progress import Event, Progress

# What a Job's ttlSecondsAfterFinished is to be when its end was seen; before that it has none, so that it is not gone.
TTL = "dppctl.io/ttl-seconds-after-finished"
_LOG_POSITION = re.compile(r"[a-z0-9.-]+ \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")  # a pod, and a time of its log


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
        self._values = values
        self._limits = limits
        self._until = time.monotonic() + (limits.run or math.inf)
        self._progress = Progress()
        self._stopped = threading.Event()
        self._open: Any = None
        is_position = _LOG_POSITION.fullmatch(reported_log)
        self._read = self._reported_log = reported_log if is_position else ""  # the pod, and the time of its last line
        self._followed: str | None = None  # the pod whose log was read
        self._pod: Object | None = None  # as it was seen last
        self._seen = False
        self._asked, self._refusal = time.monotonic(), ""  # why its pod was refused, and when that was looked for
        self._last_event: Event = {}  # of its log, with the receipt

    @property
    def reported_log(self) -> str:
        """Return up to where `follow` yielded the log: a pod and the time of a line."""
        return str(self._progress.last.get("position", self._reported_log))

    def stop(self) -> None:
        """Have `follow` return soon. The Job goes on."""
        self._stopped.set()
        if answer := self._open:
            with suppress(Exception):  # whatever state it is in, its reader looks at `_stopped`
                answer.shutdown()

    def follow(self) -> Iterator[tuple[str, str]]:
        """Yield messages and log until the Job ends. Raises JobError when it does not start or takes too long."""
        often, seldom = JOB_LOOK_SECONDS
        said, broken_since, pause = "", math.inf, often
        while not self._stopped.is_set():
            try:  # what cannot be looked at now goes on, and is asked again, as long as it takes
                if pod_status.end_of(job := self._job()):
                    return
                self._put_off_expiry(job)
                self._pod = pod_status.newest(self._pods()) or self._pod
                pod = self._pod or {}
                has_news = self._has_news(pod)
                problem = "" if has_news else pod_status.broken(pod) or self._refused(job, pod)
                if has_news:
                    pause = often
                    yield from self._tell(pod)
                elif (message := problem or pod_status.waits_for(pod)) and message != said:
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
        return "running" in state or ("terminated" in state and self._followed != _name(pod))

    def _tell(self, pod: Object) -> Iterator[tuple[str, str]]:
        for news in self._progress.follow(self._events(pod)):
            yield news
            self._check_time()

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
        receipt = self._receipt(pod) if pod else None
        made = datetime.fromisoformat(job["metadata"]["creationTimestamp"])
        was_there = began is not None and made < began.replace(microsecond=0)
        succeeded, said = ended
        # With a receipt that is good, what failed is the copying of what came out.
        if not succeeded and (receipt is None or receipt.status == "succeeded"):
            reason = "\n".join(self._progress.invalid) or (pod_status.why_failed(pod) if pod else "")
            again = "; this Job ran before, and runs again when its image or its settings change" if was_there else ""
            raise JobError(f"{reason or said or 'the Job failed'}{again}")
        return JobEnd(receipt, was_there)

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
        return self._receipt(self._pod) if self._pod else None

    def _pods(self) -> list[Object]:
        return self._api.list(f"/api/v1/namespaces/{self.namespace}/pods", f"job-name={self.name}")

    def _receipt(self, pod: Object) -> Receipt | None:
        """Return the full receipt from the log's last lines, else the summary that the pod's status holds."""
        summary = ((pod_status.state_of(pod).get("terminated") or {}).get("message") or "").encode()
        texts = [summary]
        path, last = self._log_path(pod), {"container": pod_status.CONTAINER, "tailLines": MAX_RECEIPT_LINES}
        try:
            texts = [*reversed(list(self._api.lines(path, LOG_IDLE_SECONDS, lambda _: None, **last))), summary]
        except ApiError as error:
            # 400: the container has no log any more. What is refused is not gone: without a summary it is asked again.
            if not (summary or isinstance(error, NotThereError) or error.status in (400, 404)):
                raise
        for event, is_summary in [(self._last_event, False), *((_event(text), text is summary) for text in texts)]:
            if event.get("event") == "invalid":
                self._progress.invalid = [f"{error['where']}: {error['message']}" for error in event["errors"]]
            found = event.get("receipt") if event.get("event") == "ended" else event if is_summary else None
            with suppress(ValidationError):
                if found:
                    receipt = Receipt.model_validate(found)
                    origin = {"source": self._values.source, "image": self._values.image}
                    return receipt.model_copy(update=origin)
        return None

    def _events(self, pod: Object) -> Iterator[Event]:
        """Yield the worker's events, from where reading stopped last, until the container or the connection ends."""
        name = self._followed = _name(pod)
        read_pod, _, since = self._read.partition(" ")
        query: dict[str, object] = {"container": pod_status.CONTAINER, "follow": "true", "timestamps": "true"}
        if read_pod == name:
            query["sinceTime"] = since
        with suppress(ApiAwayError, ApiError):  # the next look at the pod tells what it means
            for line in self._api.lines(self._log_path(pod), LOG_IDLE_SECONDS, self._opened, **query):
                if self._stopped.is_set():
                    return
                time_text, _, text = line.partition(b" ")
                when = time_text.decode(errors="replace")
                if read_pod == name and _order(when) <= _order(since):
                    continue  # the server counts in whole seconds
                self._read = f"{name} {when}"
                if event := _event(text):
                    self._last_event = event if event.get("event") == "ended" else self._last_event
                    yield {**event, "position": self._read}

    def _opened(self, answer: Any) -> None:
        self._open = answer
        if self._stopped.is_set():
            self.stop()

    @property
    def _path(self) -> str:
        return f"/apis/batch/v1/namespaces/{self.namespace}/jobs/{self.name}"

    def _log_path(self, pod: Object) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods/{_name(pod)}/log"


def _name(pod: Object) -> str:
    return str(pod["metadata"]["name"])


def _order(time_text: str) -> tuple[str, str]:
    """Return a time for comparing: some servers leave zeros at a fraction's end out."""
    seconds, fraction = time_text[:19], time_text[20:]
    return seconds, "".join(takewhile(str.isdigit, fraction)).ljust(9, "0")


def _event(line: bytes) -> Event:
    """Return a line's event; empty for another line: an image may print what it likes before the worker starts."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and ("event" in found or "pipelines" in found) else {}
