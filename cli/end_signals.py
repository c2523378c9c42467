"""Signals that ask a command to end."""

import signal
import threading
from collections.abc import Callable
from queue import SimpleQueue


def on_end_signals(end: Callable[[], object]) -> None:
    """Have SIGTERM and Ctrl-C call `end`, each time, in a thread of its own.

    A handler runs in the main thread, between two steps of what that is at, which may hold the very lock that `end`
    needs, as in `Event.wait`. https://docs.python.org/3/library/queue.html#queue.SimpleQueue.put may be called there.
    """
    asked = SimpleQueue[None]()

    def follow() -> None:
        while True:
            asked.get()
            end()

    threading.Thread(target=follow, name="signals", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.put(None))
