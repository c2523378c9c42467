"""The end of a pseudo-terminal where a person sits."""

import os
import select
import time
from collections.abc import Callable


def read_until(
    terminal: int, text: bytes, *, seconds: float = 60.0, silent: Callable[[], object] = lambda: None
) -> bytes:
    """Return what is shown until this text is there; fail when it never is. `silent` is called each silent second."""
    seen, end = b"", time.monotonic() + seconds
    while text not in seen:
        assert time.monotonic() < end, seen
        if select.select([terminal], [], [], 1)[0]:
            seen += os.read(terminal, 4096)
        else:
            silent()
    return seen
