"""Jobs by target: at most one for each target, a limited number at a time, results collected, failures tried again.

The bot and both syncs use it, each from one thread; a job runs in a thread of its own. There is no queue on purpose:
what cannot start now is decided anew at the next pass, so what starts is always the newest.
"""

import math
import queue
import sys
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from bot.backoff import Backoff
from bot.errors import DppctlError, PermanentError
from bot.logs import get_logger

_log = get_logger("dppctl.scheduler")


class Job(Protocol):
    """What is done to one target. `run` is called in a thread of its own, `stop` from another one."""

    def run(self) -> Any:
        """Do it, and return what came out. What it raises is tried again later: by the type, sooner or less often."""

    def stop(self, *, superseded: bool) -> None:
        """Have `run` return soon; `superseded`: because something newer is to run."""


TargetT = TypeVar("TargetT", bound=Hashable)
JobT = TypeVar("JobT", bound=Job)


@dataclass(frozen=True)
class EndedJob(Generic[TargetT, JobT]):
    """A job that ended: with a `result`, or with an `error` that it raised; `superseded`: it was told to end."""

    target: TargetT
    job: JobT
    result: Any
    error: BaseException | None
    superseded: bool


@dataclass
class _Running(Generic[JobT]):
    job: JobT
    superseded: bool = False
    since: float = field(default_factory=time.monotonic)


class Scheduler(Generic[TargetT, JobT]):
    """The jobs of one server. One thread uses it, but for `stop`; only the jobs themselves run beside it."""

    def __init__(
        self,
        stopping: threading.Event,
        on_end: Callable[[EndedJob[TargetT, JobT]], None],
        limit: int = sys.maxsize,
        backoff: Backoff[TargetT] | None = None,
        *,
        patience: float = math.inf,
        most: int = sys.maxsize,
    ) -> None:
        """Take `stopping`, after which nothing starts, and `limit`, the number of jobs at a time.

        A job that runs for more than `patience` seconds counts no more, so that slow ones are not in the way of others;
        but there are never more than `most`. `on_end` is called in the job's thread when it has ended, to wake the
        thread that collects.
        """
        self._stopping = stopping
        self._on_end = on_end
        self._limit = limit
        self._backoff = backoff or Backoff()
        self._patience = patience
        self._most = most
        self._running: dict[TargetT, _Running[JobT]] = {}
        self._started: dict[TargetT, float] = {}
        self._ended: queue.SimpleQueue[EndedJob[TargetT, JobT]] = queue.SimpleQueue()

    def __len__(self) -> int:
        """Return the number of jobs that were started and not collected."""
        return len(self._running)

    def running(self, target: TargetT) -> JobT | None:
        """Return the target's job, or None."""
        entry = self._running.get(target)
        return entry.job if entry else None

    def all_running(self) -> dict[TargetT, JobT]:
        """Return all jobs by target; any thread may call it."""
        return {target: entry.job for target, entry in [*self._running.items()]}

    def last_start(self, target: TargetT) -> float:
        """Return when its last job started, by the monotonic clock; 0.0: never."""
        return self._started.get(target, 0.0)

    def free(self) -> int:
        """Return how many more jobs may start now."""
        if self._stopping.is_set():
            return 0
        since = time.monotonic() - self._patience
        counting = sum(entry.since >= since for entry in self._running.values())
        return min(self._limit - counting, self._most - len(self._running))

    def waits(self, target: TargetT) -> bool:
        """Return whether its last job failed and is not to be tried again yet."""
        return self._backoff.waits(target)

    def forget_failures(self, target: TargetT) -> None:
        """Have the target wait for nothing: something else is wanted of it."""
        self._backoff.succeeded(target)

    def start(self, target: TargetT, job: JobT) -> bool:
        """Start a job and return True; return False, and start nothing, when it may not start now."""
        if target in self._running or self.free() <= 0 or self.waits(target):
            return False
        entry = self._running[target] = _Running(job)
        self._started[target] = time.monotonic()
        try:
            self._spawn(lambda: self._work(target, entry), str(target))
        except RuntimeError as error:  # the system gives no more threads
            self._end(EndedJob(target, job, None, error, superseded=False))
        return True

    def supersede(self, target: TargetT) -> None:
        """Tell the target's job to end, because something newer is to run; once, however often this is called."""
        entry = self._running.get(target)
        if entry and not entry.superseded:
            entry.superseded = True
            entry.job.stop(superseded=True)

    def stop(self) -> None:
        """Tell all jobs to end; any thread may call it."""
        for entry in list(self._running.values()):
            entry.job.stop(superseded=False)

    def collect(self, seconds: float = 0.0) -> list[EndedJob[TargetT, JobT]]:
        """Return the jobs that ended since the last call, each once; wait up to `seconds` for the first of them."""
        found: list[EndedJob[TargetT, JobT]] = []
        try:
            while True:
                is_first = not found and len(self) > 0
                ended = self._ended.get(timeout=seconds) if is_first and seconds else self._ended.get_nowait()
                found.append(ended)
                del self._running[ended.target]
                self._note(ended)
        except queue.Empty:
            return found

    def close(self, seconds: float) -> list[EndedJob[TargetT, JobT]]:
        """Stop all jobs, wait up to `seconds` for their ends, and return those that ended."""
        self.stop()
        until = time.monotonic() + seconds
        found: list[EndedJob[TargetT, JobT]] = []
        while self._running and (left := until - time.monotonic()) > 0:
            found += self.collect(left)
        return found

    def _spawn(self, work: Callable[[], None], name: str) -> None:
        threading.Thread(target=work, name=name, daemon=True).start()

    def _work(self, target: TargetT, entry: _Running[JobT]) -> None:
        result, error = None, None
        try:
            result = entry.job.run()
        except BaseException as raised:
            error = raised
            if not isinstance(raised, (DppctlError, OSError)):  # a mistake of ours
                _log.exception("job broke", target=str(target))
            if not isinstance(raised, Exception):
                raise
        finally:
            self._end(EndedJob(target, entry.job, result, error, entry.superseded))

    def _end(self, ended: EndedJob[TargetT, JobT]) -> None:
        self._ended.put(ended)
        self._on_end(ended)

    def _note(self, ended: EndedJob[TargetT, JobT]) -> None:
        if ended.error is None or ended.superseded:
            self._backoff.succeeded(ended.target)
        else:
            self._backoff.failed(ended.target, rarely=isinstance(ended.error, PermanentError))
