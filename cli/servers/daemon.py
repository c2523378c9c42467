"""What the servers of dppctl are: a process of parts in threads, and one event that ends them all."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import ClassVar

from bot.logs import get_logger

_log = get_logger("dppctl.up")


class Daemon(ABC):
    """A process that runs its parts until it is asked to end.

    A part that breaks ends the whole: whatever supervises the process starts it afresh.
    """

    finishes: ClassVar[Mapping[str, float]] = {}  # parts that get time to finish what they do, and how many seconds

    def __init__(self, stopping: threading.Event, opened: ExitStack) -> None:
        """Take what ends all parts when it is set, and what is open as long as the server is."""
        self.stopping = stopping
        self.opened = opened

    @abstractmethod
    def parts(self) -> dict[str, Callable[[], None]]:
        """Return what runs, each in a thread of its own, by name. Each returns soon after `stop`."""

    @abstractmethod
    def hello(self) -> str:
        """Return the line that says that the server runs, and where."""

    @abstractmethod
    def stop(self) -> None:
        """Have the parts return soon; `stopping` is set already."""

    def close(self) -> None:
        """Close all that was opened."""
        self.opened.close()

    def run(self, say: Callable[[str], None]) -> bool:
        """Run all parts until `stopping` is set, then end them; return whether one ended by itself."""
        ended: list[str] = []

        def guard(name: str, work: Callable[[], None]) -> None:
            try:
                work()
            except BaseException:
                _log.exception("a part broke", part=name)
                raise
            finally:
                if not self.stopping.is_set():
                    _log.error("a part ended by itself", part=name)
                    ended.append(name)
                    self.stopping.set()

        threads = {
            name: threading.Thread(target=guard, args=(name, work), name=name, daemon=True)
            for name, work in self.parts().items()
        }
        for thread in threads.values():
            thread.start()
        say(self.hello())
        self.stopping.wait()
        self.stop()
        begin = time.monotonic()
        for name, seconds in self.finishes.items():
            threads[name].join(max(0.0, begin + seconds - time.monotonic()))
        self.close()
        return bool(ended)
