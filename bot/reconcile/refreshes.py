"""Refresh kept copies of repositories side by side, so many of one host; one that takes long is in nobody's way."""

from collections.abc import Callable, Mapping
from threading import Event
from typing import Generic, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from bot.errors import DppctlError, TransientError, reason_of
from bot.git.mirror import Mirror
from bot.limits import MOST_REFRESHES, REFRESH_SECONDS, REFRESHES
from bot.logs import get_logger
from bot.scheduler import Scheduler

_log = get_logger("dppctl.bot")
AskerT = TypeVar("AskerT")


class RefreshJob:
    """Makes a copy equal to its repository."""

    def __init__(self, mirror: Mirror) -> None:
        """Take the copy."""
        self._mirror = mirror

    def run(self) -> DppctlError | None:
        """Do it, once nobody reads the copy; return what went wrong."""
        with self._mirror.use():
            return error_of(self._mirror.refresh)

    def stop(self, *, superseded: bool) -> None:
        """Do nothing: whoever stops the bot ends its gits."""


class Refreshes(Generic[AskerT]):
    """The repositories that are asked for news, or are to be. One thread uses it; each refresh has one of its own."""

    def __init__(self, mirrors: Mapping[str, Mirror], stop: Event, on_end: Callable[[], None]) -> None:
        """Take the copies by OWNER/REPO; `on_end` is called, in another thread, when there is something to collect."""
        self._mirrors = mirrors
        self._schedulers: dict[str, Scheduler[str, RefreshJob]] = {}
        self._waiting: dict[str, dict[str, list[AskerT]]] = {}
        for host in {mirror.host for mirror in mirrors.values()}:
            self._waiting[host] = {}
            self._schedulers[host] = Scheduler(
                stop, lambda _: on_end(), REFRESHES, patience=REFRESH_SECONDS, most=MOST_REFRESHES
            )
        self._asked: dict[str, list[AskerT]] = {}  # by the repository that is being asked

    def ask(self, name: str, asker: AskerT) -> None:
        """Have a repository refreshed from now on: one that is at it may have seen less than what there is to see."""
        self._waiting[self._mirrors[name].host].setdefault(name, []).append(asker)

    @property
    def waiting(self) -> int:
        """Return how many repositories wait for their turn."""
        return sum(map(len, self._waiting.values()))

    def collect(self) -> list[tuple[AskerT, DppctlError | None]]:
        """Return the askers whose refresh has ended, each once, with what went wrong; start those that wait."""
        found: list[tuple[AskerT, DppctlError | None]] = []
        for host, scheduler in self._schedulers.items():
            for ended in scheduler.collect():
                error = TransientError(reason_of(ended.error)) if ended.error else ended.result
                found += [(asker, error) for asker in self._asked.pop(ended.target)]
            self._start(self._waiting[host], scheduler)
        return found

    def close(self, seconds: float) -> None:
        """Wait up to so many seconds for the end of what runs."""
        for scheduler in self._schedulers.values():
            scheduler.close(seconds)

    def _start(self, waiting: dict[str, list[AskerT]], scheduler: Scheduler[str, RefreshJob]) -> None:
        for name in [*waiting]:
            if scheduler.free() <= 0:
                return
            if scheduler.start(name, RefreshJob(self._mirrors[name])):
                self._asked[name] = waiting.pop(name)


def error_of(work: Callable[[], None]) -> DppctlError | None:
    """Do something for one repository, and return what went wrong, whatever that is; None: nothing."""
    try:
        work()
    except DppctlError as error:
        return error
    except SQLAlchemyError:
        raise
    except Exception as error:  # noqa: BLE001 (whatever it is, the other repositories have nothing to do with it)
        _log.exception("look broke")
        return DppctlError(reason_of(error))
    return None
