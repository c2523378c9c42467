"""When each repository is asked for news though nobody told of any: spread evenly over an interval, by the clock.

After a start, or when an ops repo was taken over, all are asked sooner, so many a second.
"""

import heapq
from collections.abc import Collection, Set

from bot.github.call_limit import CallLimit
from bot.limits import CALLS_OF_A_LOOK, RECHECK_LIMIT, RECHECK_SHARE, START_RECHECKS, WAITING_RECHECKS
from bot.logs import get_logger
from bot.settings import Settings

_log = get_logger("dppctl.bot")


def interval_of(repositories: int, seconds: float, calls_an_hour: int) -> float:
    """Return the seconds in which all repositories are asked once: `seconds`, or more when GitHub takes less calls.

    calls_an_hour: that GitHub takes in all; 0: any number.
    """
    return max(seconds, repositories * 3600 / (RECHECK_SHARE * calls_an_hour)) if calls_an_hour else seconds


def make_rechecks(settings: Settings, repositories: Collection[str]) -> "Rechecks":
    """Return the looks by the clock that these settings and repositories lead to; say so when they come less often."""
    calls, wanted = settings.github.calls_an_hour, settings.resync_seconds
    interval = interval_of(len(repositories), wanted, calls)
    if interval > wanted:
        _log.warning(
            "repositories are re-checked less often than DPPCTL_RESYNC_SECONDS says",
            repositories=len(repositories),
            wanted_seconds=wanted,
            seconds=round(interval),
            reason=f"DPPCTL_GITHUB_CALLS_AN_HOUR is {calls}, of which re-checks take {RECHECK_SHARE:.0%}",
        )
    return Rechecks(repositories, interval)


def most_looks(limit: CallLimit, under_way: int, waiting: int) -> int:
    """Return how many looks the clock may begin now.

    Calls count when they are made, so those of looks that are under way are not left. waiting: repositories that are to
    be refreshed and are not yet; what somebody waits for comes soon among few of them.
    """
    return min(WAITING_RECHECKS - waiting, limit.left(RECHECK_LIMIT) // CALLS_OF_A_LOOK - under_way)


class Rechecks:
    """The times of the next looks. Pure but for what it remembers: the caller says what time it is."""

    def __init__(self, names: Collection[str], interval: float) -> None:
        """Take all repositories, whoever looks at them, and the interval in seconds."""
        self._interval = interval
        self._phases = {name: interval * number / len(names) for number, name in enumerate(sorted(names))}
        self._next: dict[str, float] = {}  # of those that are ours
        self._queue: list[tuple[float, str]] = []  # also what is not valid any more

    def own(self, names: Set[str], now: float) -> None:
        """Look at these from now on, and at no others."""
        for name in self._next.keys() - names:
            del self._next[name]
        rate = max(START_RECHECKS, len(names) / self._interval)
        for number, name in enumerate(sorted(names - self._next.keys())):
            self._put(name, now + number / rate)

    def due(self, now: float, most: int) -> list[str]:
        """Return those whose time has come, `most` at most; each has its next time then."""
        found: list[str] = []
        while self._queue and self._queue[0][0] <= now and len(found) < most:
            when, name = heapq.heappop(self._queue)
            if self._next.get(name) == when:
                found.append(name)
                # The first of its own times that is not too soon after this one.
                phase, soonest = self._phases[name], now + self._interval / 2
                self._put(name, soonest + (phase - soonest) % self._interval)
        return found

    def _put(self, name: str, when: float) -> None:
        self._next[name] = when
        heapq.heappush(self._queue, (when, name))
