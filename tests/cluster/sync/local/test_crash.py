"""A kill at any point of a deployment: the next start finishes it, exactly once in effect."""

from collections.abc import Callable

import pytest

from bot.model.reports import SyncEvent
from cluster.errors import ClusterError
from cluster.sync.local.deployment import EnvironmentJob
from cluster.sync.local.environment import LocalEnvironment, Release
from tests.support.forge import APPENDING
from tests.support.stories.machine import Machine
from tests.support.sync_kills import Killed, after, die_in, killed
from tests.support.waiting import eventually


def on_report(phase: str) -> Callable[[pytest.MonkeyPatch], None]:
    def die(patch: pytest.MonkeyPatch) -> None:
        report = EnvironmentJob._report

        def die_or_report(self: EnvironmentJob, reported: str, *rest: object, **more: object) -> None:
            if reported == phase:
                raise Killed
            report(self, reported, *rest, **more)

        patch.setattr(EnvironmentJob, "_report", die_or_report)

    return die


# In the order in which a deployment has them.
BEFORE_THE_SWITCH = {
    "before it is told that it started": on_report("started"),
    "before the database is copied": lambda patch: patch.setattr(LocalEnvironment, "begin", killed),
    "before it runs": lambda patch: patch.setattr(LocalEnvironment, "begin", after(LocalEnvironment.begin)),
    "while it runs": on_report("progress"),
    "before the switch": lambda patch: patch.setattr(LocalEnvironment, "switch", killed),
    "after the outcome is written": lambda patch: patch.setattr(Release, "write", after(Release.write)),
}
AFTER_IT = {
    "after the switch": lambda patch: patch.setattr(LocalEnvironment, "switch", after(LocalEnvironment.switch)),
    "before it is recorded": lambda patch: patch.setattr(LocalEnvironment, "record", killed),
    "before the end is told": on_report("succeeded"),
    "after it is recorded": lambda patch: patch.setattr(LocalEnvironment, "record", after(LocalEnvironment.record)),
}
MOMENTS = {**BEFORE_THE_SWITCH, **AFTER_IT}


def kill(machine: Machine, moment: str) -> None:
    """Start sync, and have it die at that moment."""
    die_in(machine, MOMENTS[moment])


def test_what_was_begun_is_finished_exactly_once_wherever_it_is_killed(machine: Machine) -> None:
    """Let each start go on from the files that a kill left, and kill it later than the one before."""
    machine.say(APPENDING)
    for moment in BEFORE_THE_SWITCH:
        kill(machine, moment)
        assert machine.environment().current() is None, moment
        assert "succeeded" not in machine.phases(), moment
    for moment in AFTER_IT:
        kill(machine, moment)
        assert machine.numbers() == [0, 1, 2], moment
        assert "succeeded" not in machine.phases(), moment
    machine.start().sync()
    machine.start().sync()
    assert machine.numbers() == [0, 1, 2]
    assert machine.phases().count("succeeded") == 1
    assert machine.phases()[-1] == "succeeded"


def test_what_ended_unheard_is_told_also_when_something_newer_is_to_run(machine: Machine) -> None:
    first = machine.say(APPENDING)
    kill(machine, "after the switch")
    second = machine.say({"README.md": "newer"})
    machine.start().sync()
    ends = [event.commit for event in machine.events if event.phase == "succeeded"]
    assert ends == [first, second]
    assert machine.numbers() == [0, 0, 1, 1, 2, 2]


def test_an_end_that_nobody_heard_is_told_again(machine: Machine) -> None:
    is_away = True

    def report(event: SyncEvent) -> None:
        if is_away:
            raise ClusterError("the receiver is away")
        machine.events.append(event)

    machine.say(APPENDING)
    sync = machine.start(report=report, retry_seconds=0.5)
    sync.sync()
    is_away = False
    eventually(lambda: sync.sync() or machine.phases(), "it is told")
    machine.start().sync()
    assert machine.phases() == ["succeeded"]
    assert machine.numbers() == [0, 1, 2]
