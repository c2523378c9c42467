"""When Python looks for garbage: not while a command imports, which takes a sixth of a server's start.

A server imports 220,000 objects, which Python would look through again and again, and once more at the end; all of
them stay.
https://docs.python.org/3/library/gc.html#gc.freeze
"""

import gc

from cli.limits import GARBAGE_THRESHOLD

_PYTHONS_OWN = gc.get_threshold()


def put_off_collection() -> None:
    """Look for garbage only when there are many more objects than a command imports."""
    gc.set_threshold(GARBAGE_THRESHOLD)


def resume_collection() -> None:
    """Look for it as often as Python does by itself, and no more among what is there now."""
    gc.freeze()
    gc.set_threshold(*_PYTHONS_OWN)
