"""Refresh kept copies of repositories side by side, so many of one host; one that takes long is in nobody's way.

Those of one ops repo have their turn together, as what is to be written there by then is written together: one
`ls-remote`, one look at its files and one push for all. After so many others have their turn.
"""

from collections.abc import Callable, Hashable, Mapping
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

    def __init__(
        self, mirrors: Mapping[str, Mirror], groups: Mapping[str, Hashable], stop: Event, on_end: Callable[[], None]
    ) -> None:
        """Take the copies by OWNER/REPO, and of each its group: those of one have their turn together.

        `on_end` is called, in another thread, when there is something to collect.
        """
        self._mirrors, self._groups = mirrors, groups
        self._schedulers: dict[str, Scheduler[str, RefreshJob]] = {}
        # By host and group; a group's turn is when it is the first, and `_begun` is how many of it have begun since.
        self._waiting: dict[str, dict[Hashable, dict[str, list[AskerT]]]] = {}
        self._begun: dict[str, int] = {}
        for host in {mirror.host for mirror in mirrors.values()}:
            self._waiting[host] = {}
            self._begun[host] = 0
            self._schedulers[host] = Scheduler(
                stop, lambda _: on_end(), REFRESHES, patience=REFRESH_SECONDS, most=MOST_REFRESHES
            )
        self._asked: dict[str, list[AskerT]] = {}  # by the repository that is being asked

    def ask(self, name: str, asker: AskerT) -> None:
        """Have a repository refreshed from now on: one that is at it may have seen less than what there is to see."""
        groups = self._waiting[self._mirrors[name].host]
        groups.setdefault(self._groups[name], {}).setdefault(name, []).append(asker)

    @property
    def waiting(self) -> int:
        """Return how many repositories wait for their turn."""
        return sum(len(names) for groups in self._waiting.values() for names in groups.values())

    def collect(self) -> list[tuple[AskerT, DppctlError | None]]:
        """Return the askers whose refresh has ended, each once, with what went wrong; start those that wait."""
        found: list[tuple[AskerT, DppctlError | None]] = []
        for host, scheduler in self._schedulers.items():
            for ended in scheduler.collect():
                error = TransientError(reason_of(ended.error)) if ended.error else ended.result
                found += [(asker, error) for asker in self._asked.pop(ended.target)]
            self._start(host, scheduler)
        return found

    def close(self, seconds: float) -> None:
        """Wait up to so many seconds for the end of what runs."""
        for scheduler in self._schedulers.values():
            scheduler.close(seconds)

    def _start(self, host: str, scheduler: Scheduler[str, RefreshJob]) -> None:
        """Start what may; a group of which REFRESHES have begun waits for the others then."""
        groups, idle = self._waiting[host], 0  # idle: so many groups, one after the other, of which nothing can start
        while idle < len(groups):
            group, names = next(iter(groups.items()))
            for name in [*names]:
                if scheduler.free() <= 0:
                    return
                if self._begun[host] >= REFRESHES:
                    break
                if scheduler.start(name, RefreshJob(self._mirrors[name])):
                    self._asked[name] = names.pop(name)
                    self._begun[host] += 1
            idle = 0 if self._begun[host] else idle + 1
            self._begun[host] = 0
            del groups[group]
            if names:
                groups[group] = names


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
