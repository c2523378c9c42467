"""Make calls that come at the same time as one: a burst of deliveries costs a few transactions instead of hundreds.

The thread that has the turn takes along all calls that wait. None waits for others to come, so a single call costs no
more than without this.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(eq=False)
class _Call(Generic[In, Out]):
    value: In
    taken: bool = False
    results: Sequence[Out] = ()  # a single one, once the call was made


class Batcher(Generic[In, Out]):
    """Calls a function of many values with those that several threads have at the same time."""

    def __init__(self, work: Callable[[Sequence[In]], Sequence[Out]], limit: int) -> None:
        """Call `work`, which returns a result for each value in their order, with at most `limit` values."""
        self._work = work
        self._limit = limit
        self._turn = threading.Lock()
        self._waiting: deque[_Call[In, Out]] = deque()

    def call(self, value: In) -> Out:
        """Return the work's result for a value. Raises what the work raises.

        Values that failed together are tried alone, so that only the bad one fails.
        """
        own: _Call[In, Out] = _Call(value)
        self._waiting.append(own)
        with self._turn:
            while not own.results:
                self._make([own] if own.taken else self._next())
        return own.results[0]

    def _next(self) -> list[_Call[In, Out]]:
        calls = [self._waiting.popleft() for _ in range(min(self._limit, len(self._waiting)))]
        for call in calls:
            call.taken = True
        return calls

    def _make(self, calls: list[_Call[In, Out]]) -> None:
        try:
            results = self._work([call.value for call in calls])
        except Exception:
            if len(calls) == 1:
                raise
            return  # each is made alone by its own thread
        for call, result in zip(calls, results, strict=True):
            call.results = (result,)
