"""When to try again what git or the network refused: exponential backoff with jitter, for each repository."""

import random
import time

from bot.limits import MAX_RETRY_SECONDS, RETRY_SECONDS


class Backoff:
    """Repositories that failed, with the time of their next try."""

    def __init__(self) -> None:
        self._times: dict[str, int] = {}
        self._next: dict[str, float] = {}

    def failed(self, name: str) -> None:
        """It will be due after a while, which is longer the more often it failed in a row."""
        times = self._times[name] = self._times.get(name, 0) + 1
        wait = min(MAX_RETRY_SECONDS, RETRY_SECONDS * 2.0 ** min(times - 1, 30))
        self._next[name] = time.monotonic() + wait * random.uniform(0.5, 1.5)  # noqa: S311 (no secret)

    def succeeded(self, name: str) -> bool:
        """Nothing is due. Had it failed before?"""
        self._next.pop(name, None)
        return self._times.pop(name, None) is not None

    def due(self) -> set[str]:
        """What is to be tried now."""
        now = time.monotonic()
        return {name for name, when in self._next.items() if when <= now}

    def waits(self, name: str) -> bool:
        """Has it failed, and is its next try not due yet?"""
        return self._next.get(name, 0.0) > time.monotonic()
