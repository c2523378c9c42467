"""How many calls GitHub had of us within an hour, of those that it takes.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

import threading
import time
from collections import deque


class CallLimit:
    """Counts calls, of git and of the API. Safe to use from several threads."""

    def __init__(self, an_hour: int) -> None:
        """Take how many GitHub takes; 0: any number."""
        self._an_hour = an_hour
        self._lock = threading.Lock()
        self._times: deque[float] = deque(maxlen=an_hour)
        self._part = 1.0

    def share(self, bots: int) -> None:
        """Take no more than our part of it, as other bots use the same account."""
        self._part = 1 / bots

    def note(self) -> None:
        """Count a call."""
        if self._an_hour:
            with self._lock:
                self._times.append(time.monotonic())

    def left(self, part: float) -> int:
        """Return how many calls may be made now, if no more than a part of all are; a large number without a limit."""
        if not self._an_hour:
            return 1_000_000
        since = time.monotonic() - 3600
        with self._lock:
            while self._times and self._times[0] < since:
                self._times.popleft()
            return max(0, int(self._an_hour * part * self._part) - len(self._times))
