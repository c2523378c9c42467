"""What the server has ready for its next run, made again as soon as one takes it (worker/runner/ready.py)."""

import os
import sys
import threading
from typing import Optional

from worker.runner.ready import AUTO, DPP, ReadyDpp


class Standby:
    """Has a warm process wait until `close`, in a thread of its own: the process ends with the one that starts it."""

    def __init__(self, again: bool) -> None:
        """again: have another one ready as soon as one is taken."""
        self._again = again
        self._is_warm = os.environ.get("DPPCTL_RUNNER", AUTO) != DPP
        self._lock = threading.Condition()
        self._ready: Optional[ReadyDpp] = None
        self._is_wanted = True
        self._is_closed = False
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def take(self) -> Optional[ReadyDpp]:
        """Return what is ready; None: nothing is, and the run makes its own. Whoever takes it closes it."""
        with self._lock:
            ready, self._ready = self._ready, None
            self._is_wanted = self._again
            self._lock.notify_all()
            return ready

    def close(self) -> None:
        """End what waits; nothing will be ready again."""
        with self._lock:
            self._is_closed = True
            self._lock.notify_all()
        self._thread.join()

    def _keep(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._is_closed or (self._is_wanted and self._ready is None))
                if self._is_closed:
                    break
                self._is_wanted = False
            try:
                ready = ReadyDpp(os.environ, is_warm=self._is_warm)
            except OSError as error:  # the run says the same when it has no room either
                sys.stderr.write(f"nothing is ready for the next run: {error}\n")
                continue
            with self._lock:
                self._ready = ready
        if self._ready:
            self._ready.close()
