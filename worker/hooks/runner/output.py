"""The outputs of a lane's steps: each has a pipe for its log, and what is written goes to that of the step which runs.

In dpp every step is a process, and each line that it prints, logs or warns of comes on its own stderr. Here the step is
found from the stack when something is written: rows cost nothing.
"""

import logging
import os
import sys
import time
from typing import Any, Optional, Set

SECONDS_BETWEEN_COUNTS = 0.1  # of the sink's: a reader of progress is told five times a second
_LOG_FORMAT = "%(levelname)-8s:%(message)s"  # datapackage_pipelines/wrapper/wrapper.py
_COUNT = ">>> PROCESSED ROWS: "


class Attribution:
    """Knows which step runs: the innermost frame of the functions that `is_of_step` marked has it in `step`."""

    def __init__(self) -> None:
        self._codes: Set[Any] = set()
        self.otherwise: Any = None  # for threads, whose stacks tell nothing

    def is_of_step(self, function: Any) -> Any:
        """Mark a function whose local variable `step` is the step on whose behalf it runs; return the function."""
        self._codes.add(function.__code__)
        return function

    def step(self) -> Any:
        """Return the step that runs now."""
        frame: Optional[Any] = sys._getframe(1)
        while frame is not None:
            if frame.f_code in self._codes:
                return frame.f_locals["step"]
            frame = frame.f_back
        return self.otherwise


class StepOutput:
    """Stands for `sys.stderr`; `redirected` steps have their prints logged, as `with ingest()` has it."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, attribution: Attribution, raw: bool) -> None:
        """raw: writes the text as it is, whatever the step."""
        self._attribution = attribution
        self._raw = raw

    def write(self, text: str) -> int:
        """Write to the log of the step that runs."""
        step = self._attribution.step()
        if self._raw or not step.redirected:
            step.write(text)
        elif text.strip():
            logging.error(text.strip())
        return len(text)

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def isatty(self) -> bool:
        """Return that it is no terminal."""
        return False

    def writable(self) -> bool:
        """Return that it can be written to."""
        return True


class StepLog:
    """Writes to the pipe that is one step's stderr."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._count = ""  # the sink's newest, not written yet
        self._next_count = 0.0

    def write(self, text: str) -> None:
        """Write the text; of counts that follow each other quickly the newest is written, by `flush` at the latest."""
        if text.startswith(_COUNT):
            now = time.monotonic()
            if now < self._next_count:
                self._count = text
                return
            self._next_count = now + SECONDS_BETWEEN_COUNTS
            self._count = ""
        else:
            self.flush()
        self._write(text)

    def flush(self) -> None:
        """Write what is held back."""
        if self._count:
            self._write(self._count)
            self._count = ""

    def _write(self, text: str) -> None:
        rest = text.encode("utf-8", "backslashreplace")
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]


def set_up_logging(stream: Any) -> None:
    """Have the root logger write as it does in a processor of dpp's, to this stream."""
    for handler in list(logging.root.handlers):
        logging.root.removeHandler(handler)
    logging.basicConfig(level=logging.DEBUG, format=_LOG_FORMAT, stream=stream)
