"""What Ctrl-C does while a run on a cluster is followed: the run is somewhere else, so it need not end with dppctl."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

from cli.run.signals import STOP_SIGNALS


class Interrupted(Exception):  # noqa: N818 (it is no error)
    """A signal came while there was nothing to do but wait."""


class Interrupts:
    """A context in which a signal ends what waits (`waiting`), and nothing else: no event is lost or shown twice."""

    def __init__(self) -> None:
        """Begin without a signal."""
        self.number = 0  # of the first signal that came
        self._pending = False
        self._waiting = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._take) for number in STOP_SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Raise Interrupted in this context when a signal comes, or came since the last time."""
        self._waiting = True
        try:
            self._raise_pending()
            yield
        finally:
            self._waiting = False

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self.number = self.number or number
        self._pending = True
        if self._waiting:
            self._raise_pending()

    def _raise_pending(self) -> None:
        if self._pending:
            self._pending = False
            raise Interrupted
