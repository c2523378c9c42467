"""A server is parts in threads and one event: any end is the end of all."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import ClassVar

import pytest

from cli.servers.daemon import Daemon


class Small(Daemon):
    """Two parts; what happens to them is in `story`."""

    finishes: ClassVar[Mapping[str, float]] = {"slow": 20.0}

    def __init__(self, quick: Callable[[], None] | None = None) -> None:
        self.story: list[str] = []
        super().__init__(threading.Event(), ExitStack())
        self.opened.callback(self.story.append, "closed")
        self._quick = quick or self._until_stopped
        self._ended = threading.Event()

    def parts(self) -> dict[str, Callable[[], None]]:
        return {"slow": self._finish, "quick": self._quick}

    def hello(self) -> str:
        return "it runs"

    def stop(self) -> None:
        self.story.append("stop")
        self._ended.set()

    def _until_stopped(self) -> None:
        self._ended.wait(20)

    def _finish(self) -> None:
        self._ended.wait(20)
        time.sleep(0.1)  # it is at something
        self.story.append("finished")


def test_parts_run_until_the_event_then_finish_before_all_is_closed() -> None:
    server = Small()

    def say(line: str) -> None:
        server.story.append(line)
        server.stopping.set()

    assert not server.run(say)
    assert server.story == ["it runs", "stop", "finished", "closed"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_part_that_ends_or_breaks_ends_all() -> None:
    def broken() -> None:
        raise ValueError("the reason")

    for part in (broken, lambda: None):
        server = Small(part)
        assert server.run(lambda _: None)
        assert server.story[-2:] == ["finished", "closed"]
