"""When to try again what git, the network or a cluster refused: exponential backoff with jitter, for each key."""

import random
import time
from collections.abc import Hashable
from typing import Generic, TypeVar

from bot.limits import MAX_RETRY_SECONDS, RETRY_SECONDS

KeyT = TypeVar("KeyT", bound=Hashable)


class Backoff(Generic[KeyT]):
    """What failed, such as repositories, with the time of its next try."""

    def __init__(self, first_seconds: float = RETRY_SECONDS, max_seconds: float = MAX_RETRY_SECONDS) -> None:
        """Wait `first_seconds` after a first failure and twice as long after each further one, up to `max_seconds`."""
        self._first_seconds = first_seconds
        self._max_seconds = max_seconds
        self._times: dict[KeyT, int] = {}
        self._next: dict[KeyT, float] = {}

    def failed(self, key: KeyT, *, rarely: bool = False) -> None:
        """Note a failure: the next try is due after a while, give or take half of it.

        `rarely`: after the longest while at once, because somebody must change something first.
        """
        times = self._times[key] = self._times.get(key, 0) + 1
        longer = self._first_seconds * 2.0 ** min(times - 1, 30)
        wait = self._max_seconds if rarely else min(self._max_seconds, longer)
        self._next[key] = time.monotonic() + wait * random.uniform(0.5, 1.5)  # noqa: S311 (no secret)

    def succeeded(self, key: KeyT) -> bool:
        """Note a success, after which nothing is due; return whether it had failed before."""
        self._next.pop(key, None)
        return self._times.pop(key, None) is not None

    def due(self) -> set[KeyT]:
        """Return what is to be tried now."""
        now = time.monotonic()
        return {key for key, when in [*self._next.items()] if when <= now}

    def waits(self, key: KeyT) -> bool:
        """Return whether it failed and its next try is not due yet."""
        return self._next.get(key, 0.0) > time.monotonic()
