"""Waiting for a condition, never for a time."""

import os
import time
from collections.abc import Callable
from typing import TypeVar

import pytest

SECONDS_TO_WAIT = 90.0


# So many times longer than what is promised may things take while other tests run beside; alone a test wants all of it.
BUSY = 6 if "PYTEST_XDIST_WORKER" in os.environ else 1


T = TypeVar("T")


def eventually(condition: Callable[[], T], what: str, seconds: float = SECONDS_TO_WAIT, pause: float = 0.02) -> T:
    """Wait until the condition gives something true, and give that; fail with `what` when it never does.

    `pause`: the least time between two looks. A longer one is for what takes seconds anyway.
    """
    end = time.monotonic() + seconds
    while True:
        asked = time.monotonic()
        if value := condition():
            return value
        if (now := time.monotonic()) > end:
            pytest.fail(f"not within {seconds:.0f} s: {what}")
        took = now - asked  # to ask may start a program, and what is waited for needs the processor
        time.sleep(max(pause, min(5 * took, 0.25), 2 * took))
