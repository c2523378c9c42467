"""A run that does what the names of its pipelines say, in the worker of a test's process."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from worker.events import EventStream
from worker.plan import WorkloadError
from worker.publication import Publication, find_written

PACKAGE = '{"name": "committees", "resources": [{"name": "members", "path": "ועדות.csv"}]}'
FILES = {
    "publish": {
        "data/committees/datapackage.json": PACKAGE,
        "data/committees/ועדות.csv": "id\n1\n",
        "data/index.html": "<h1>Hello</h1>",
    },
    "many": {"data/many/datapackage.json": "{}", **{f"data/many/{number}.csv": "id\n" for number in range(1_000)}},
}


class NamedRun:
    """Stands for worker.run.Run: `wait`, a `second`, `fail`, `log`, `ticks` (the time, for 10 s); others just end.

    `invalid` is told to be none. `publish` writes a data package and a site, `many` one of 1,000 files; `forge` says
    that it wrote what it did not.
    """

    def __init__(
        self,
        folder: Path,
        pipelines: Sequence[str],
        _: object,
        events: EventStream,
        *_others: object,
        **_named: object,
    ) -> None:
        self._folder, self._pipelines, self._events = folder, pipelines, events
        self.publication = Publication(folder)
        self._stopped = threading.Event()

    def execute(self) -> dict[str, Any]:
        self._events.emit("queued", pipeline="./a", runner="lanes", folder=".")
        self._events.emit("started", pipeline="./a")
        status, since = "succeeded", time.time()
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
            for path, text in FILES.get(name, {}).items():
                (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
                (self._folder / path).write_text(text)
            for _ in range(200 if name == "ticks" else 0):
                self._events.log("./a", str(time.time()))
                self._stopped.wait(0.05)
            if name == "fail":
                status = "failed"
        error = "rows.py:2: ValueError: the reason\nflow" if status == "failed" else None
        result = {"id": "./a", "status": status, "rows": 3, "stats": {"count_of_rows": 3}, "error": error}
        self._events.emit("finished", result=result)
        self.publication = find_written(self._folder, ["."], since, [])
        forged = {"items": [{"kind": "site", "source": "../index.html", "path": ""}]}
        if written := forged if "forge" in self._pipelines else self.publication.describe():
            self._events.emit("written", **written)
        receipt = {"status": status, "pipelines": [result], "started": "", "ended": ""}
        self._events.emit("ended", receipt=receipt)
        return receipt

    def stop(self) -> None:
        self._stopped.set()
