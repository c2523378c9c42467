"""The queue of builds: whatever breaks in a build or around it, the build ends and says why."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy.exc import OperationalError

from bot.images.build_queue import BuildQueue, Key
from bot.images.builders.interface import BuildError, BuildPutOffError
from bot.model.names import RepoPath
from tests.support.waiting import eventually

KEY = Key(RepoPath("ann/app"), "1" * 40)
AWAY = OperationalError("INSERT", {}, Exception("database is locked"))


class Builds:
    """A queue of one build, whose store may be away."""

    def __init__(self, *, keeps_log: bool = True, remembers: bool = True) -> None:
        self.ended: list[RepoPath] = []
        self.keeps_log, self.remembers = keeps_log, remembers
        self.queue = BuildQueue(1, self.append, self.remember, self.ended.append)

    def append(self, _deployment: int, _text: str) -> None:
        if not self.keeps_log:
            raise AWAY

    def remember(self, _key: Key, _image: str) -> None:
        if not self.remembers:
            raise AWAY

    def build(self, work: Callable[[], str]) -> BuildError | BuildPutOffError | None:
        """Build to the end; return the error, if there is one."""

        def logged(log: Callable[[str], None], _stop: threading.Event) -> str:
            log("a line")
            return work()

        self.queue.start(KEY, logged, 1)
        eventually(lambda: self.ended, "it ends")
        assert not self.queue.join(KEY, 2)
        self.queue.close()
        return self.queue.take_error(KEY)


def image() -> str:
    return "host/name@sha256:1"


def broken() -> str:
    raise KeyError("nobody knows")


def test_a_build_that_breaks_fails_with_the_reason() -> None:
    error = Builds().build(broken)
    assert isinstance(error, BuildError)
    assert str(error).startswith("dppctl itself failed: KeyError('nobody knows')")


def test_a_build_whose_log_cannot_be_kept_ends_all_the_same() -> None:
    assert Builds(keeps_log=False).build(image) is None


def test_a_build_that_cannot_be_noted_is_put_off() -> None:
    error = Builds(remembers=False).build(image)
    assert isinstance(error, BuildPutOffError)
    assert "the store does not answer" in str(error)


def test_a_build_that_gets_no_thread_is_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    builds = Builds()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        builds.queue.start(KEY, lambda _log, _stop: image(), 1)
    assert not builds.queue.join(KEY, 1)
    assert isinstance(builds.queue.take_error(KEY), BuildPutOffError)
    builds.queue.close()
