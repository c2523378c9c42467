"""Kills of a sync at a chosen step: what it would do next is not done, by nobody."""

from collections.abc import Callable

import pytest

from bot.scheduler import Scheduler
from tests.support.stories.machine import Machine


class Killed(BaseException):
    """Nobody catches it."""


def killed(*_: object) -> None:
    raise Killed


def after(step: Callable[..., object]) -> Callable[..., None]:
    def both(*arguments: object) -> None:
        step(*arguments)
        raise Killed

    return both


def die_in(machine: Machine, at: Callable[[pytest.MonkeyPatch], None]) -> None:
    """Start sync, and have it die where `at` says."""
    with pytest.MonkeyPatch.context() as patch:
        at(patch)
        patch.setattr(Scheduler, "_spawn", lambda _self, work, _name: work())  # in this thread, which dies
        with pytest.raises(Killed):
            machine.start().sync()
