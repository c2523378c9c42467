"""How many deliveries of one repository are taken in a minute.

A delivery's id is not signed, so whoever has seen one can send it again under any number of ids.
"""

import threading
import time
from dataclasses import dataclass

from webhooks.limits import MAX_BUCKETS


@dataclass
class _Bucket:
    left: float
    filled: float  # monotonic seconds


class RateLimit:
    """A token bucket for each repository (or address): as many at once as in a minute. Several threads may use it."""

    def __init__(self, a_minute: int) -> None:
        """Let that many pass; 0: any number."""
        self._a_minute = a_minute
        self._buckets: dict[str, _Bucket] = {}
        self._lock = threading.Lock()

    def wait(self, repository: str) -> int:
        """Count a delivery. Return 0 when it may pass, else the seconds after which the next one may."""
        now = time.monotonic()
        if not self._a_minute:
            return 0
        with self._lock:
            if repository not in self._buckets and len(self._buckets) >= MAX_BUCKETS:
                del self._buckets[next(iter(self._buckets))]
            bucket = self._buckets.setdefault(repository, _Bucket(self._a_minute, now))
            bucket.left = min(self._a_minute, bucket.left + (now - bucket.filled) * self._a_minute / 60)
            bucket.filled = now
            if bucket.left < 1:
                return int((1 - bucket.left) * 60 / self._a_minute) + 1
            bucket.left -= 1
            return 0
