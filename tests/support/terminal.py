"""The end of a pseudo-terminal where a person sits."""

import os
import select
import time


def read_until(terminal: int, text: bytes, seconds: float = 60.0) -> bytes:
    """Return what is shown until this text is there; fail when it never is."""
    seen, end = b"", time.monotonic() + seconds
    while text not in seen:
        assert time.monotonic() < end, seen
        if select.select([terminal], [], [], 1)[0]:
            seen += os.read(terminal, 4096)
    return seen
