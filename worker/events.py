"""What happens in a run, as a stream that any number of readers follow from its start.

A reader that is slow, or not there at all, must neither hold up a pipeline nor let the memory grow: log lines
live in a ring and are left out for a reader that falls behind (it is told how many); of the progress of a
pipeline only the newest is kept; everything else is kept, and there is little of it.
"""

import datetime
import heapq
import threading
import time
from collections import deque
from typing import Any, Deque, Dict, Iterator, List, Tuple

LOG_LINES_KEPT = 2_000
LOG_LINE_CHARACTERS = 2_000
SECONDS_BETWEEN_PROGRESS = 0.2

Event = Dict[str, Any]


def utc_now() -> str:
    """Return the time as ISO 8601 in UTC, with milliseconds."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class EventStream:
    """Events are emitted by any thread and read by any thread; `close` ends every reader."""

    def __init__(self, with_log: bool = True) -> None:
        """with_log: whether anybody wants the lines of the log."""
        self._with_log = with_log
        self._changed = threading.Condition()
        self._emitted = 0
        self._closed = False
        self._kept: List[Tuple[int, Event]] = []
        self._logs: Deque[Tuple[int, Event]] = deque(maxlen=LOG_LINES_KEPT)
        self._log_count = 0
        self._progress: Dict[str, Tuple[int, Event]] = {}
        self._progress_due: Dict[str, float] = {}

    def emit(self, event: str, **fields: Any) -> None:
        """Add an event that every reader gets."""
        with self._changed:
            self._kept.append((self._next(), {"event": event, "time": utc_now(), **fields}))

    def log(self, pipeline: str, line: str) -> None:
        """Add a line of a pipeline's log; it may be cut, and left out for a slow reader."""
        if not self._with_log:
            return
        event = {"event": "log", "time": utc_now(), "pipeline": pipeline, "line": line[:LOG_LINE_CHARACTERS]}
        with self._changed:
            self._log_count += 1
            self._logs.append((self._next(), event))

    def progress(self, pipeline: str, rows: int) -> None:
        """Say how many rows went through so far; at most five times a second for each pipeline."""
        now = time.monotonic()
        if now < self._progress_due.get(pipeline, 0):
            return
        self._progress_due[pipeline] = now + SECONDS_BETWEEN_PROGRESS
        event = {"event": "progress", "time": utc_now(), "pipeline": pipeline, "rows": rows}
        with self._changed:
            self._progress[pipeline] = (self._next(), event)

    def close(self) -> None:
        """End the stream: no event comes after this."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Event]:
        """Yield all events from the first on and wait for what is still to come, until the stream is closed."""
        for batch in self.batches():
            yield from batch

    def numbered_from(self, after: int) -> Iterator[Event]:
        """Yield, as `__iter__` does, the events after this number, each with its own, by which a reader can go on."""
        return (event for batch in self.batches(after, numbered=True) for event in batch)

    def batches(self, after: int = 0, *, numbered: bool = False) -> Iterator[List[Event]]:
        """Yield the events in lists: each holds what there is at the time. `numbered`: with their numbers."""
        seen, logs_seen = after, self._logs_until(after)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._emitted > seen)  # noqa: B023
                found = self._since(seen)
                new_logs = self._log_count - logs_seen
                seen, logs_seen = self._emitted, self._log_count
            if not found:
                return  # closed, and all is told
            batch = [{**event, "number": number} if numbered else event for number, event in found]
            missed = new_logs - sum(event["event"] == "log" for event in batch)
            if missed > 0:
                batch.insert(0, {"event": "skipped_log", "time": utc_now(), "lines": missed})
            yield batch

    def _next(self) -> int:
        self._emitted += 1
        self._changed.notify_all()
        return self._emitted

    def _logs_until(self, number: int) -> int:
        """Return how many lines of the log came before those after an event's number."""
        with self._changed:
            return self._log_count - sum(logged > number for logged, _ in self._logs) if number else 0

    def _since(self, seen: int) -> List[Tuple[int, Event]]:
        logs: List[Tuple[int, Event]] = []
        for numbered in reversed(self._logs):
            if numbered[0] <= seen:
                break
            logs.append(numbered)
        rest = [numbered for numbered in self._kept if numbered[0] > seen]
        rest += [numbered for numbered in self._progress.values() if numbered[0] > seen]
        return list(heapq.merge(reversed(logs), sorted(rest, key=_number), key=_number))


def _number(numbered: Tuple[int, Event]) -> int:
    return numbered[0]
