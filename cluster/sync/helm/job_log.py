"""The log of a Job's pod: the worker's events as they come, and in the end the receipt."""

import json
import re
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import takewhile
from typing import Any

from pydantic import ValidationError

from bot.kubernetes import ApiError, KubernetesClient, KubernetesError, NotThereError, Object
from bot.limits import MAX_LOG_LINE_BYTES
from bot.model.receipt import Receipt
from bot.model.values import Values
from cluster.limits import LOG_IDLE_SECONDS, MAX_RECEIPT_LINES
from cluster.sync.helm import pod_status
from cluster.worker_events import Event, in_short

_POSITION = re.compile(r"[a-z0-9.-]+ \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")  # a pod, and a time of its log


class JobLog:
    """The logs of one Job's pods, of which the newest is read."""

    def __init__(self, api: KubernetesClient, namespace: str, values: Values, reported_log: str) -> None:
        """Take the values that are deployed, for the receipt, and the position to go on from, `POD TIME` or empty."""
        self._api = api
        self._namespace = namespace
        self._values = values
        self._stopped = threading.Event()
        self._open: Any = None
        is_position = _POSITION.fullmatch(reported_log)
        self.position = reported_log if is_position else ""  # up to where the log was read
        self.pod: str | None = None  # whose log was read
        self.problem = ""  # why it could not be opened when it was tried last
        self.invalid: list[str] = []  # what its last lines say is wrong with the workload
        self._last_event: Event = {}  # of its log, with the receipt

    def stop(self) -> None:
        """Have `events` return soon."""
        self._stopped.set()
        if answer := self._open:
            with suppress(Exception):  # whatever state it is in, its reader looks at `_stopped`
                answer.shutdown()

    def events(self, pod: Object) -> Iterator[Event]:
        """Yield the worker's events, from where reading stopped last, until the container or the connection ends."""
        name = self.pod = pod_status.name_of(pod)
        read_pod, _, since = self.position.partition(" ")
        query: dict[str, object] = {"container": pod_status.CONTAINER, "follow": "true", "timestamps": "true"}
        if read_pod == name:
            query["sinceTime"] = since
        self._open = None
        try:
            for line in self._api.lines(self._path(pod), LOG_IDLE_SECONDS, self._opened, **query):
                self.problem = ""
                if self._stopped.is_set():
                    return
                time_text, _, text = line.partition(b" ")
                when = time_text.decode(errors="replace")
                if read_pod == name and _order(when) <= _order(since):
                    continue  # the server counts in whole seconds
                self.position = f"{name} {when}"
                if event := _event(text):
                    self._last_event = event if event.get("event") == "ended" else self._last_event
                    yield {**event, "position": self.position}
        except KubernetesError as error:  # the next look at the pod tells what it means
            self.problem = "" if self._open else error.reason

    def last_of_begin(self, pod: Object) -> str:
        """Return what the container with which a run gets its turn at the database says now; empty: nothing."""
        if "running" not in pod_status.state_of(pod, pod_status.BEGIN):
            return ""
        query = {"container": pod_status.BEGIN, "tailLines": 1}
        lines: list[bytes] = []
        with suppress(KubernetesError):  # it is asked again
            lines += self._api.lines(self._path(pod), LOG_IDLE_SECONDS, lambda _: None, **query)
        return lines[-1].decode(errors="replace").strip() if lines else ""

    def receipt(self, pod: Object) -> Receipt | None:
        """Return the full receipt from the log's last lines, else the summary that the pod's status holds.

        Raises ApiAwayError, and ApiError where there is no summary and what is refused may still be there.
        """
        summary = _summary(pod)
        texts = [summary]
        query = {"container": pod_status.CONTAINER, "tailLines": MAX_RECEIPT_LINES}
        try:
            lines = self._api.lines(self._path(pod), LOG_IDLE_SECONDS, lambda _: None, **query)
            texts = [*reversed(_last(lines, MAX_LOG_LINE_BYTES)), summary]
        except ApiError as error:
            # 400: the container has no log any more. What is refused is not gone: without a summary it is asked again.
            if not (summary or isinstance(error, NotThereError) or error.status in (400, 404)):
                raise
        return self._find(texts)

    def summary(self, pod: Object) -> Receipt | None:
        """Return what was read of the receipt already, else the summary in the pod's status."""
        return self._find([_summary(pod)])

    def _find(self, texts: list[bytes]) -> Receipt | None:
        """Return the first receipt of these lines, of which the last is a summary, or of what was read before."""
        summary = texts[-1]
        for event, is_summary in [(self._last_event, False), *((_event(text), text is summary) for text in texts)]:
            if invalid := in_short(event).get("errors"):
                self.invalid = [f"{error['where']}: {error['message']}" for error in invalid]
            found = event.get("receipt") if event.get("event") == "ended" else event if is_summary else None
            with suppress(ValidationError):
                if found:
                    receipt = Receipt.model_validate(found)
                    origin = {"source": self._values.source, "image": self._values.image}
                    return receipt.model_copy(update=origin)
        return None

    def _opened(self, answer: Any) -> None:
        self._open = answer
        self.problem = ""
        if self._stopped.is_set():
            self.stop()

    def _path(self, pod: Object) -> str:
        return f"/api/v1/namespaces/{self._namespace}/pods/{pod_status.name_of(pod)}/log"


def _last(lines: Iterable[bytes], most: int) -> list[bytes]:
    """Return the last lines, which together have that many bytes at most; the last one whatever it has."""
    kept, size = deque[bytes](), 0
    for line in lines:
        kept.append(line)
        size += len(line)
        while size > most and len(kept) > 1:
            size -= len(kept.popleft())
    return [*kept]


def _summary(pod: Object) -> bytes:
    return ((pod_status.state_of(pod).get("terminated") or {}).get("message") or "").encode()


def _order(time_text: str) -> tuple[str, str]:
    """Return a time for comparing: some servers leave zeros at a fraction's end out."""
    seconds, fraction = time_text[:19], time_text[20:]
    return seconds, "".join(takewhile(str.isdigit, fraction)).ljust(9, "0")


def _event(line: bytes) -> Event:
    """Return a line's event; empty for another line: an image may print what it likes before the worker starts."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and ("event" in found or "pipelines" in found) else {}
