"""Tell the bot of `dppctl up` at once that a delivery was recorded, by a pipe that the receiver was started with.

Only a hint: the bot looks into the store by itself, and a bot elsewhere hears of deliveries only so.
"""

import os
from contextlib import suppress

VARIABLE = "DPPCTL_WAKE_FD"


def wake_bot() -> None:
    """Write a byte into the pipe, if there is one; a full one wakes the bot as well."""
    descriptor = os.environ.get(VARIABLE, "")
    if descriptor.isdigit():
        with suppress(OSError):
            os.write(int(descriptor), b"1")
