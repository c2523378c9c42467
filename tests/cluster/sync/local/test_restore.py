"""Going back on one machine: the data and the files of then, nothing runs, and a kill at any step leaves one whole."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.model.values import Pipeline
from cluster.sync.local.environment import LocalEnvironment, Release
from tests.support.forge import APP, APPENDING
from tests.support.stories.machine import PUBLISHING, Machine
from tests.support.sync_kills import after, die_in, killed

pytestmark = pytest.mark.slow


def content(environment: LocalEnvironment) -> dict[str, str]:
    """Return a hash of each file that users see: the database, what is published, and the source."""
    current = environment.current()
    assert current
    files = [current.work_database, *current.storage.rglob("*"), *current.source.rglob("*")]
    return {
        str(file.relative_to(current.folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if file.is_file()
    }


def releases(machine: Machine) -> list[Path]:
    return sorted((machine.environment().folder / "releases").glob("*"))


def test_a_release_is_gone_back_to_with_its_data_byte_for_byte(machine: Machine) -> None:
    first = machine.say(APP | PUBLISHING)
    machine.start(keeps=2).sync()
    then, receipt = content(machine.environment()), machine.events[-1].receipt
    ops_commit = machine.events[-1].ops_commit
    second = machine.say(APPENDING)
    machine.start(keeps=2).sync()
    assert content(machine.environment()) != then
    assert machine.events[-1].kept == (machine.events[-1].ops_commit, ops_commit)
    machine.go_back(first, ops_commit)
    ran = len(machine.events)
    machine.start(keeps=2).sync()
    assert content(machine.environment()) == then
    (told,) = machine.events[ran:]
    assert (told.phase, told.receipt, told.commit) == ("succeeded", receipt, first)
    assert told.message.endswith("; back to what it was, nothing ran")
    assert told.kept
    assert {ops_commit, told.ops_commit} < set(told.kept)
    machine.start(keeps=2).sync()
    assert len(machine.events) == ran + 1
    assert len(releases(machine)) == 2
    # What is deployed next starts from there, and what was gone back to is the first to be kept.
    third = machine.say(APPENDING | {"README.md": "third"})
    machine.start(keeps=1).sync()
    assert machine.numbers() == [0, 1, 1, 2]
    assert machine.events[-1].commit == third
    assert machine.events[-1].kept
    assert machine.events[-1].kept[1] == ops_commit
    assert len(releases(machine)) == 2
    machine.go_back(second, "e" * 40)
    before = content(machine.environment())
    machine.start(keeps=1).sync()
    assert content(machine.environment()) == before
    assert machine.events[-1].phase == "failed"
    assert "`dppctl rollback` with --run runs it again" in machine.events[-1].message
    machine.start(keeps=1).sync()
    assert machine.phases()[-2:] == ["succeeded", "failed"]


MOMENTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "before anything": lambda patch: patch.setattr(Release, "write", killed),
    "after it is marked": lambda patch: patch.setattr(Release, "write", after(Release.write)),
    "before the switch": lambda patch: patch.setattr(LocalEnvironment, "switch", killed),
    "after the switch": lambda patch: patch.setattr(LocalEnvironment, "switch", after(LocalEnvironment.switch)),
    "before it is recorded": lambda patch: patch.setattr(LocalEnvironment, "record", killed),
    "after it is recorded": lambda patch: patch.setattr(LocalEnvironment, "record", after(LocalEnvironment.record)),
}


def test_a_kill_at_any_step_leaves_the_old_or_the_new_whole(machine: Machine) -> None:
    first = machine.say(APPENDING)
    machine.start().sync()
    old, ops_commit = content(machine.environment()), machine.events[-1].ops_commit
    machine.say({"README.md": "newer"})
    machine.start().sync()
    new = content(machine.environment())
    machine.go_back(first, ops_commit)
    told = len(machine.events)
    for moment, patch in MOMENTS.items():
        die_in(machine, patch)
        assert content(machine.environment()) in (old, new), moment
        assert len(releases(machine)) == 2, moment
    machine.start().sync()
    machine.start().sync()
    assert content(machine.environment()) == old
    assert [event.phase for event in machine.events[told:]] == ["succeeded"]


def test_schedules_of_what_was_gone_back_to_run_for_the_newer_deployment(machine: Machine) -> None:
    hourly = Pipeline(id="./one", schedule="0 * * * *")
    first = machine.say(APPENDING, hourly)
    machine.start().sync()
    ops_commit = machine.events[-1].ops_commit
    machine.say({"README.md": "newer"})
    machine.start().sync()
    machine.go_back(first, ops_commit, hourly)
    sync = machine.start()
    sync.sync()
    back = machine.events[-1].ops_commit
    machine.now = machine.now.replace(hour=1)
    sync.sync()
    assert (machine.events[-1].phase, machine.events[-1].ops_commit) == ("scheduled", back)
    assert machine.numbers() == [0, 0, 1, 1, 2, 2]
