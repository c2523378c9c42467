"""What a signal does to `dppctl run`: the worker is asked to stop, and ends by itself with its receipt."""

import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from cluster.local.workers.process import WorkerProcess

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """A context in which a signal that asks dppctl to end stops the worker; before there is one, dppctl exits."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Take what prints a line for the person who waits."""
        self._say = say
        self._worker: WorkerProcess | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._stop) for number in STOP_SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def pass_to(self, worker: WorkerProcess) -> None:
        """Stop this worker from now on."""
        self._worker = worker

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._say("Stopping")
        if self._worker is None:
            sys.exit(128 + number)
        self._worker.stop(number)
