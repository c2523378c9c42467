"""A run that does what the names of its pipelines say, in the worker of a test's process."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from worker.events import EventStream
from worker.plan import WorkloadError


class NamedRun:
    """Stands for worker.run.Run: `wait`, a `second`, `fail`, `log`, `ticks` (the time, for 10 s); others just end.

    `invalid` is told to be none.
    """

    def __init__(
        self,
        _folder: Path,
        pipelines: Sequence[str],
        _: object,
        events: EventStream,
        *_others: object,
        **_named: object,
    ) -> None:
        self._pipelines, self._events = pipelines, events
        self._stopped = threading.Event()

    def execute(self) -> dict[str, Any]:
        self._events.emit("queued", pipeline="./a", runner="lanes", folder=".")
        self._events.emit("started", pipeline="./a")
        status = "succeeded"
        if "invalid" in self._pipelines:
            errors = [{"where": "worker", "message": "there is no dpp on PATH"}]
            self._events.emit("invalid", errors=errors)
            raise WorkloadError(errors)
        for name in self._pipelines:
            for number in range(200 if name == "log" else 2):
                self._events.log("./a", f"line {number}")
            self._events.progress("./a", 1)
            if self._stopped.wait({"wait": 60, "second": 1}.get(name, 0)):
                status = "stopped"
            for _ in range(200 if name == "ticks" else 0):
                self._events.log("./a", str(time.time()))
                self._stopped.wait(0.05)
            if name == "fail":
                status = "failed"
        error = "rows.py:2: ValueError: the reason\nflow" if status == "failed" else None
        result = {"id": "./a", "status": status, "rows": 3, "stats": {"count_of_rows": 3}, "error": error}
        self._events.emit("finished", result=result)
        receipt = {"status": status, "pipelines": [result], "started": "", "ended": ""}
        self._events.emit("ended", receipt=receipt)
        return receipt

    def stop(self) -> None:
        self._stopped.set()
