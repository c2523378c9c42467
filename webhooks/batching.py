"""Calls that come at the same time are made as one: a burst of deliveries costs a few transactions instead of hundreds.

Whoever has the turn takes along all that wait; nobody waits for company, so a single call costs no more than before.
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
    given: In
    taken: bool = False
    answers: Sequence[Out] = ()  # one, when it was made


class Batcher(Generic[In, Out]):
    """A function of one value, made of one that takes many. Safe to be called from several threads."""

    def __init__(self, work: Callable[[Sequence[In]], Sequence[Out]], most: int) -> None:
        """`work` gives an answer for each value, in their order; `most`: values that it gets at a time."""
        self._work = work
        self._most = most
        self._turn = threading.Lock()
        self._waiting: deque[_Call[In, Out]] = deque()

    def __call__(self, given: In) -> Out:
        """Raises what the work raises. Values that failed together are tried alone: only the bad one fails."""
        mine: _Call[In, Out] = _Call(given)
        self._waiting.append(mine)
        with self._turn:
            while not mine.answers:
                self._make([mine] if mine.taken else self._next())
        return mine.answers[0]

    def _next(self) -> list[_Call[In, Out]]:
        calls = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        for one in calls:
            one.taken = True
        return calls

    def _make(self, calls: list[_Call[In, Out]]) -> None:
        try:
            answers = self._work([one.given for one in calls])
        except Exception:
            if len(calls) == 1:
                raise
            return  # each is made alone by its own thread
        for one, answer in zip(calls, answers, strict=True):
            one.answers = (answer,)
