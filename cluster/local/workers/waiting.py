"""Workers that wait for what is deployed next on this machine: they have loaded dpp's packages before it comes.

One for each environment of dpp, good for one run. Nothing of a run is in it: the order brings folder and variables.
"""

import threading
import time
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bot.logs import get_logger
from cluster.limits import WAITING_WORKER_SECONDS, WAITING_WORKERS
from cluster.local.workers.dpp_environment import DppEnvironment
from cluster.local.workers.process import WorkerHost, WorkerProcess

_log = get_logger("dppctl.sync")


@dataclass(frozen=True)
class WaitingWorker:
    """A worker that waits."""

    worker: WorkerProcess
    host: DppEnvironment
    packages: object  # what was in the environment when it started
    since: float

    def is_good(self) -> bool:
        """Tell whether it lives, and would load the same packages if it started now."""
        return self.worker.is_alive and self.packages == _packages(self.host)


class WaitingWorkers:
    """Those of one `dppctl up`. They end with it, also when it is killed."""

    def __init__(self, zipapp: Path, seconds: float = WAITING_WORKER_SECONDS) -> None:
        """zipapp: of the worker; seconds: that one may wait. None waits before `open`."""
        self._zipapp = zipapp
        self._seconds = seconds
        self._lock = threading.Lock()
        self._waiting: dict[Path, WaitingWorker] = {}  # by the environment's folder, the newest last
        self._last: dict[Hashable, DppEnvironment] = {}
        self._is_open = False

    def open(self) -> None:
        """Let workers wait from now on."""
        self._is_open = True

    def take(self, host: WorkerHost, user: Hashable = None) -> WorkerProcess:
        """Return a worker of this host that has no order yet: that which waits, or a new one.

        user: who takes it, for `expect`. Raises OSError when it cannot start.
        """
        if isinstance(host, DppEnvironment):
            with self._lock:
                self._last[user] = host
                found = self._waiting.pop(host.folder, None)
            if found and found.is_good():
                return found.worker
            if found:
                found.worker.end()
        return WorkerProcess(self._zipapp, host)

    def expect(self, user: Hashable) -> None:
        """Have a worker wait where this user took the last one."""
        if host := self._last.get(user):
            self.prepare(host)

    def prepare(self, host: WorkerHost) -> None:
        """Have a worker wait in this environment, if none does; the oldest ends when there are too many."""
        if not isinstance(host, DppEnvironment):
            return
        with self._lock:
            if not self._is_open or host.folder in self._waiting:
                return
            try:
                worker = WorkerProcess(self._zipapp, host)
            except OSError as error:  # then the run starts its own, or says why not
                _log.warning("no worker waits", error=error)
                return
            self._waiting[host.folder] = WaitingWorker(worker, host, _packages(host), time.monotonic())
            surplus = [self._waiting.pop(folder) for folder in list(self._waiting)[:-WAITING_WORKERS]]
        for waiting in surplus:
            waiting.worker.end()

    def end_unused(self) -> None:
        """End those that waited for long, that have ended, or whose environment has changed."""
        until = time.monotonic() - self._seconds
        with self._lock:
            ended = [waiting for waiting in self._waiting.values() if waiting.since < until or not waiting.is_good()]
            for waiting in ended:
                del self._waiting[waiting.host.folder]
        for waiting in ended:
            waiting.worker.end()

    def close(self) -> None:
        """End all that wait; no other one will."""
        with self._lock:
            self._is_open = False
            ended = list(self._waiting.values())
            self._waiting.clear()
        for waiting in ended:
            waiting.worker.end()


def _packages(host: DppEnvironment) -> object:
    """Return what changes when a package of the environment does; None: it is gone."""
    with suppress(OSError):
        return [folder.stat().st_mtime_ns for folder in sorted(host.folder.glob("lib/python*/site-packages"))]
    return None
